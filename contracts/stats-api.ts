import Type, { type Static } from 'typebox';
import { BatchId } from './ids.ts';
import { OutcomeCounts, ReceiptCounts } from './outcomes.ts';

/** What `sms.api.batch.status` and `sms.api.batch.progress` answer. */
export const BatchStatus = Type.Object(
  {
    id: BatchId,
    version: Type.Integer({ description: 'Of the batch; grows with every command.' }),
    state: Type.String({ description: 'Joined, as DeliveryRunning.' }),
    phase: Type.Union([Type.String(), Type.Null()]),
    total: Type.Union([Type.Integer(), Type.Null()], { description: 'Null until the batch is partitioned.' }),
    counts: OutcomeCounts,
    percent: Type.Number({ description: 'Recipients whose outcome is final, of all; one decimal.' }),
    phases: Type.Record(Type.String(), Type.Object({ percent: Type.Number() })),
    tasks: Type.Object({
      count: Type.Integer(),
      done: Type.Integer(),
      out: Type.Array(Type.Integer()),
    }),
    ratePerSecond: Type.Number({ description: 'Recipients a second over the last ten seconds.' }),
    segmentsPerSecond: Type.Number({ description: 'Accepted segments a second over the last ten seconds.' }),
    secondsLeft: Type.Union([Type.Integer(), Type.Null()], {
      description: 'Of the phase that runs, at this rate; null while there is no rate.',
    }),
    limitingFactor: Type.Union([Type.String(), Type.Null()], {
      description: 'What holds most of the tasks back: rate, window, throttled, journal, …',
    }),
    segments: Type.Integer({ description: 'Accepted segments.' }),
    resent: Type.Optional(
      Type.Integer({
        description: 'Sent again because an answer was lost (onInDoubt: resend); absent = none.',
      }),
    ),
    receipts: Type.Optional(ReceiptCounts),
    asOf: Type.String({ description: 'Time of the newest figure.' }),
    source: Type.Union([Type.Literal('redis'), Type.Literal('mongodb')]),
  },
  { description: 'State, counts and progress of one batch; the counts sum to the total.' },
);
export type BatchStatus = Static<typeof BatchStatus>;

const requestId = Type.Optional(Type.String({ maxLength: 128 }));

/** Requests of `sms.api.stats.<verb>`. */
export const STATS_API = {
  sync: Type.Object(
    {
      batchId: Type.Optional(BatchId),
      all: Type.Optional(Type.Boolean({ description: 'Every batch that has not ended, or ended lately.' })),
      requestId,
    },
    {
      additionalProperties: false,
      description: 'Repairs the figures in Redis from MongoDB: of one batch, or of all.',
    },
  ),
  invalidate: Type.Object(
    { batchId: BatchId, requestId },
    { additionalProperties: false, description: 'Drops the figures of a batch in Redis.' },
  ),
  metrics: Type.Object(
    { requestId },
    { additionalProperties: false, description: 'Health and counters of the service (GetServiceMetrics).' },
  ),
} as const;

export const SyncAnswer = Type.Object({
  synced: Type.Integer({ description: 'Batches looked at.' }),
  repaired: Type.Integer({ description: 'Batches whose figures in Redis were missing or different.' }),
});
export type SyncAnswer = Static<typeof SyncAnswer>;

export const InvalidateAnswer = Type.Object({ removed: Type.Boolean() });

export const ServiceMetrics = Type.Object({
  asOf: Type.String(),
  batches: Type.Record(Type.String(), Type.Integer(), { description: 'Batches by state.' }),
  tasksOut: Type.Integer(),
  servers: Type.Object({
    nats: Type.Object({ ok: Type.Boolean(), roundTripMs: Type.Optional(Type.Number()) }),
    mongodb: Type.Object({ ok: Type.Boolean(), roundTripMs: Type.Optional(Type.Number()) }),
    redis: Type.Object({ ok: Type.Boolean(), roundTripMs: Type.Optional(Type.Number()) }),
  }),
  consumers: Type.Record(
    Type.String(),
    Type.Object({
      waiting: Type.Integer({ description: 'Messages not handed out yet.' }),
      unacknowledged: Type.Integer(),
      redelivered: Type.Integer(),
    }),
  ),
  streams: Type.Record(Type.String(), Type.Object({ messages: Type.Integer(), bytes: Type.Integer() })),
  counters: Type.Record(Type.String(), Type.Number(), {
    description: 'Counters of this process, as in /metrics.',
  }),
});
export type ServiceMetrics = Static<typeof ServiceMetrics>;
