import type { Registry } from 'prom-client';
import { type Metrics, registerMetrics } from '../../lib/metrics/metric-table.ts';

export const BATCH_METRICS = {
  commands: {
    type: 'counter',
    name: 'commands_total',
    help: 'Commands decided, by verb and result.',
    labels: ['verb', 'result'],
  },
  turnsRefused: {
    type: 'counter',
    name: 'turns_refused_total',
    help: 'Writes of a turn that were refused, since another host had written the batch after it was read.',
  },
  turnSeconds: {
    type: 'histogram',
    name: 'turn_seconds',
    help: 'Time of an actor’s turn.',
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 4],
  },
} as const;

export type BatchMetrics = Metrics<typeof BATCH_METRICS>;

export const batchMetrics = (registry: Registry): BatchMetrics => registerMetrics(registry, BATCH_METRICS);
