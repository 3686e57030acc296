import type { Registry } from 'prom-client';
import { type Metrics, registerMetrics } from '../../lib/metrics/metric-table.ts';

export const STATS_METRICS = {
  updates: {
    type: 'counter',
    name: 'stats_updates_total',
    help: 'Versioned values offered to Redis: `taken`, or `refused` where it had newer ones.',
    labels: ['result'],
  },
} as const;

export type StatsMetrics = Metrics<typeof STATS_METRICS>;

export const statsMetrics = (registry: Registry): StatsMetrics => registerMetrics(registry, STATS_METRICS);
