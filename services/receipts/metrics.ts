import type { Registry } from 'prom-client';
import { type Metrics, registerMetrics } from '../../lib/metrics/metric-table.ts';

export const RECEIPT_METRICS = {
  receipts: {
    type: 'counter',
    name: 'receipts_total',
    help: 'Receipts taken from the stream, repetitions included.',
  },
  lateAnswers: {
    type: 'counter',
    name: 'late_answers_total',
    help: 'Answers that came in after their task went to someone else.',
  },
  parked: {
    type: 'counter',
    name: 'receipts_parked_total',
    help: 'Receipts whose message was not known in time.',
  },
  rejoined: {
    type: 'counter',
    name: 'receipts_rejoined_total',
    help: 'Parked receipts that found their message later.',
  },
  inDoubtResolved: {
    type: 'counter',
    name: 'in_doubt_resolved_total',
    help: 'Messages whose answer was lost and whose receipt told that the carrier had them.',
  },
  held: {
    type: 'gauge',
    name: 'receipts_held',
    help: 'Receipts that wait in memory for the answer that they were faster than.',
  },
  roundSeconds: {
    type: 'histogram',
    name: 'receipt_round_seconds',
    help: 'Time of a round: compare, write, park.',
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5],
  },
} as const;

export type ReceiptMetrics = Metrics<typeof RECEIPT_METRICS>;

/** @param held receipts that wait in memory now */
export const receiptMetrics = (registry: Registry, held: () => number): ReceiptMetrics =>
  registerMetrics(registry, {
    ...RECEIPT_METRICS,
    held: { ...RECEIPT_METRICS.held, collect: held },
  });
