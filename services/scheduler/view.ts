import type { PlannedRun, ScheduleRun, ScheduleView } from '../../contracts/schedule-api.ts';
import { localTime } from '../../lib/recurrence/zone.ts';
import { nextDueOf } from './plan.ts';
import { iso } from './pure/draft.ts';
import { jitterMs } from './pure/jitter.ts';
import { runIdOf } from './pure/start-run.ts';
import type { RunRecord, ScheduleDefinition, ScheduleDocument } from './schedule-document.ts';

const SHOWN_RUNS = 10;

/** A schedule as callers see it: with its next ten runs (a list shows one) and its last ten. */
export function viewOf(doc: ScheduleDocument, shownRuns = SHOWN_RUNS): ScheduleView {
  const { paused, next } = doc;
  return {
    id: doc._id,
    version: doc.version,
    state: doc.state,
    ...(paused && { paused: { ...paused, at: iso(paused.at) } }),
    ...doc.definition,
    next: next ? plannedRuns(doc._id, doc.definition, next.dueAt - 1, shownRuns, runsLeft(doc)) : [],
    runs: doc.runs.map(runView).reverse(),
    active: doc.active.map(({ dueAt }) => iso(dueAt)),
    started: doc.started,
    failuresInARow: doc.failuresInARow,
    history: doc.history.map(({ at, ...entry }) => ({ ...entry, at: iso(at) })),
    createdAt: iso(doc.createdAt),
    updatedAt: iso(doc.updatedAt),
  };
}

export function runView({ dueAt, decidedAt, endedAt, runId: _id, ...run }: RunRecord): ScheduleRun {
  return {
    ...run,
    dueAt: iso(dueAt),
    decidedAt: iso(decidedAt),
    ...(endedAt !== undefined && { endedAt: iso(endedAt) }),
  };
}

const runsLeft = ({ definition, started }: ScheduleDocument): number =>
  definition.maxRuns === undefined ? Number.POSITIVE_INFINITY : definition.maxRuns - started;

/** What is planned after an instant: due times, local times, jitter, the IDs of batches, changes of the clock. */
export function plannedRuns(
  id: string,
  definition: ScheduleDefinition,
  afterMs: number,
  count: number,
  left = Number.POSITIVE_INFINITY,
): PlannedRun[] {
  const { timeZone, jitterSeconds = 0, target } = definition;
  const runs: PlannedRun[] = [];
  let from = afterMs;
  while (runs.length < Math.min(count, left)) {
    const due = nextDueOf(definition, from);
    if (!due) break;
    from = due.atMs;
    runs.push({
      dueAt: iso(due.atMs),
      ...(timeZone !== undefined && { local: localTime(timeZone, due.atMs) }),
      fireAt: iso(due.atMs + jitterMs(id, due.atMs, jitterSeconds * 1000)),
      ...(target.kind === 'batch.template' && { batchId: runIdOf(id, due.atMs) }),
      ...(due.note !== undefined && { note: due.note }),
    });
  }
  return runs;
}
