import { Counter, Histogram, type Registry } from 'prom-client';

export interface BatchMetrics {
  commands: Counter<'verb' | 'result'>;
  turnSeconds: Histogram;
}

export const batchMetrics = (registry: Registry): BatchMetrics => ({
  commands: new Counter({
    name: 'smsbatch_commands_total',
    help: 'Commands decided, by verb and result.',
    labelNames: ['verb', 'result'],
    registers: [registry],
  }),
  turnSeconds: new Histogram({
    name: 'smsbatch_turn_seconds',
    help: 'Time of an actor’s turn.',
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 4],
    registers: [registry],
  }),
});
