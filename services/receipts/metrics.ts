import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface ReceiptMetrics {
  receipts: Counter;
  lateAnswers: Counter;
  parked: Counter;
  rejoined: Counter;
  held: Gauge;
  roundSeconds: Histogram;
}

export function receiptMetrics(registry: Registry, held: () => number): ReceiptMetrics {
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  return {
    receipts: counter('smsbatch_receipts_total', 'Receipts taken from the stream, repetitions included.'),
    lateAnswers: counter(
      'smsbatch_late_answers_total',
      'Answers that came in after their task went to someone else.',
    ),
    parked: counter('smsbatch_receipts_parked_total', 'Receipts whose message was not known in time.'),
    rejoined: counter('smsbatch_receipts_rejoined_total', 'Parked receipts that found their message later.'),
    held: new Gauge({
      name: 'smsbatch_receipts_held',
      help: 'Receipts that wait in memory for the answer that they were faster than.',
      registers,
      collect() {
        this.set(held());
      },
    }),
    roundSeconds: new Histogram({
      name: 'smsbatch_receipt_round_seconds',
      help: 'Time of a round: compare, write, park.',
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5],
      registers,
    }),
  };
}
