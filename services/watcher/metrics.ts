import type { Registry } from 'prom-client';
import { type Metrics, registerMetrics } from '../../lib/metrics/metric-table.ts';

const WATCHER_METRICS = {
  swept: {
    type: 'counter',
    name: 'watcher_swept_total',
    help: 'What sweeps have found in batches, by what it was.',
    labels: ['what'],
  },
} as const;

export type WatcherMetrics = Metrics<typeof WATCHER_METRICS>;

export const watcherMetrics = (registry: Registry): WatcherMetrics =>
  registerMetrics(registry, WATCHER_METRICS);
