import type { Registry } from 'prom-client';
import { type Metrics, registerMetrics } from '../../lib/metrics/metric-table.ts';

export const TABLE_METRICS = {
  rows: {
    type: 'counter',
    name: 'table_rows_total',
    help: 'Rows that imports put into tables.',
  },
  imports: {
    type: 'counter',
    name: 'table_imports_total',
    help: 'Imports and appends, by how they ended: `done`, `duplicate` (the content was there), `failed`.',
    labels: ['result'],
  },
} as const;

export type TableMetrics = Metrics<typeof TABLE_METRICS>;

export const tableMetrics = (registry: Registry): TableMetrics => registerMetrics(registry, TABLE_METRICS);
