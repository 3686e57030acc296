import type { Registry } from 'prom-client';
import { type Metrics, registerMetrics } from '../../lib/metrics/metric-table.ts';

export const STEP_METRICS = {
  taskSeconds: {
    type: 'histogram',
    name: 'step_task_seconds',
    help:
      'Time of a task in this process, from its take to its stored end; by outcome: `done`, `failed`, `yielded`, ' +
      '`lost` (someone else has it), `left` (the process stops), `returned` (an error of ours or of a server: it comes back).',
    labels: ['step', 'outcome'],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900],
  },
  writesRefused: {
    type: 'counter',
    name: 'step_writes_refused_total',
    help:
      'Writes of a task that were refused, since another worker has taken it meanwhile; by what was to be written: `intent`, ' +
      '`outcomes`, `journal` (its last entry), `progress`, `end`.',
    labels: ['step', 'write'],
  },
  tasksInHand: {
    type: 'gauge',
    name: 'step_tasks_in_hand',
    help: 'Tasks that this process works on now.',
    labels: ['step'],
  },
} as const;

export type StepMetrics = Metrics<typeof STEP_METRICS>;

export const stepMetrics = (registry: Registry): StepMetrics => registerMetrics(registry, STEP_METRICS);
