import type { Registry } from 'prom-client';
import type { RunOutcome } from '../../contracts/schedule-api.ts';
import { type Metrics, registerMetrics } from '../../lib/metrics/metric-table.ts';
import type { RunRecord, ScheduleDocument } from './schedule-document.ts';

export const SCHEDULER_METRICS = {
  runs: {
    type: 'counter',
    name: 'schedule_runs_total',
    help: 'Runs of schedules by outcome: started, published, succeeded, failed, aborted, buffered, skipped, missed, dropped.',
    labels: ['outcome'],
  },
  stale: {
    type: 'counter',
    name: 'schedule_stale_timers_total',
    help: 'Timers that fired for an older definition, or a second time.',
  },
  rearmed: {
    type: 'counter',
    name: 'schedule_rearmed_total',
    help: 'Schedules whose timer was gone and was armed again by the sweep.',
  },
  lateness: {
    type: 'histogram',
    name: 'schedule_lateness_seconds',
    help: 'From the instant of a run to its decision.',
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 900],
  },
  taskSeconds: {
    type: 'histogram',
    name: 'schedule_task_seconds',
    help: 'Time of a run of a maintenance task.',
    labels: ['task', 'outcome'],
    buckets: [0.01, 0.1, 1, 10, 60, 600],
  },
} as const;

export type SchedulerMetrics = Metrics<typeof SCHEDULER_METRICS>;

export const schedulerMetrics = (registry: Registry): SchedulerMetrics =>
  registerMetrics(registry, SCHEDULER_METRICS);

/** Counts the outcomes that a stored decision has added. */
export function countRuns(
  { runs }: SchedulerMetrics,
  before: ScheduleDocument | undefined,
  after: ScheduleDocument,
): void {
  const known = new Map<string, RunOutcome>(before?.runs.map((run) => [keyOf(run), run.outcome]));
  for (const run of after.runs) {
    if (known.get(keyOf(run)) !== run.outcome) runs.inc({ outcome: run.outcome });
  }
}

const keyOf = ({ dueAt, runId, manual }: RunRecord): string => `${dueAt} ${runId ?? ''} ${manual ?? false}`;
