import { chunkId, incarnationOf, lifeId } from '../../contracts/ids.ts';
import type { BatchState } from '../../contracts/states.ts';
import { bucketOf, hashMsisdn } from '../../lib/phone/bucket.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import type { MessageChunk, OutcomeDocument } from '../../lib/store/chunk-documents.ts';
import type { Store } from '../../lib/store/collections.ts';
import { joinColumn } from '../../lib/store/columns.ts';
import { type NumberPlaces, placesOf } from '../../lib/store/number-places.ts';
import { countStatuses } from '../../lib/store/outcome-columns.ts';
import type { PartitionDocument } from '../../lib/store/partition-document.ts';

/** One recipient of a batch that was sent: what its outcome document will say. */
export interface SentRecipient {
  msisdn: string;
  /** OUTCOME_LETTERS; default `a`. */
  status?: string;
  /** One a part, as the carrier gave them. */
  ids?: string[];
  segments?: number;
}

export interface SentBatchOptions {
  batchId: string;
  recipients: readonly SentRecipient[];
  provider?: string;
  bucketBits?: number;
  chunkSize?: number;
  createdAtMs?: number;
  state?: BatchState;
  endedAt?: number;
}

export interface SentBatch {
  batchId: string;
  incarnation: string;
  life: string;
  batch: BatchDocument;
  partition: PartitionDocument;
  messages: MessageChunk[];
  numberPlaces: NumberPlaces[];
  outcomes: OutcomeDocument[];
  /** Where each recipient went, by number. */
  placeOf: Map<string, { index: number; position: number }>;
}

/** The documents of a batch as preparation and delivery leave them, without running either. */
export function sentBatch(options: SentBatchOptions): SentBatch {
  const { batchId, recipients, provider = 'main', bucketBits = 2, chunkSize = 4 } = options;
  const createdAtMs = options.createdAtMs ?? 1_700_000_000_000;
  const incarnation = incarnationOf(createdAtMs);
  const life = lifeId(batchId, incarnation);
  const buckets: SentRecipient[][] = Array.from({ length: 2 ** bucketBits }, () => []);
  for (const recipient of recipients) {
    buckets[bucketOf(hashMsisdn(recipient.msisdn), bucketBits)]!.push(recipient);
  }
  const messages: MessageChunk[] = [];
  const outcomes: OutcomeDocument[] = [];
  const numberPlaces: NumberPlaces[] = [];
  const placeOf: SentBatch['placeOf'] = new Map();
  const chunksByBucket = buckets.map((bucket) => Math.ceil(bucket.length / chunkSize));
  for (const bucket of buckets) {
    const first = messages.length;
    for (let at = 0; at < bucket.length; at += chunkSize) {
      const rows = bucket.slice(at, at + chunkSize);
      const index = messages.length;
      rows.forEach(({ msisdn }, position) => {
        placeOf.set(msisdn, { index, position });
      });
      const ids = { _id: chunkId(batchId, incarnation, index), batchId, index, size: rows.length };
      messages.push({
        ...ids,
        phones: joinColumn(rows.map(({ msisdn }) => msisdn)),
        texts: 'hello',
        sameText: true,
        encodings: 'g'.repeat(rows.length),
        segments: rows.map(({ segments = 1 }) => segments.toString(36)).join(''),
      });
      const statuses = rows.map(({ status = 'a' }) => status).join('');
      const messageIds = rows.map(({ ids: parts = [] }) => parts.join(' '));
      outcomes.push({
        ...ids,
        task: 0,
        ownerSeq: 1,
        statuses,
        ids: messageIds.every((each) => each === '') ? '' : joinColumn(messageIds),
        codes: '',
        times: '',
        timesFromMs: 0,
        waiting: [],
        counts: countStatuses(statuses),
        segments: rows.length,
        resent: 0,
        provider,
        sentFromMs: createdAtMs,
        sentToMs: createdAtMs + 1_000,
        updatedAtMs: createdAtMs + 1_000,
      });
    }
    const own = messages.slice(first);
    if (own.length > 0) numberPlaces.push(placesOf(own[0]!._id, batchId, own));
  }
  const total = recipients.length;
  const partition: PartitionDocument = {
    _id: life,
    batchId,
    table: 'people',
    generation: 1,
    columns: [],
    bucketBits,
    imports: [{ id: 'i1', chunksByBucket }],
    taskStarts: [0],
    total,
    chunks: messages.length,
    createdAt: createdAtMs,
  };
  const batch = {
    _id: batchId,
    incarnation,
    version: 1,
    createHash: '',
    definition: { name: batchId, content: 'hello', providers: [provider] },
    state: options.state ?? { phase: 'delivery', status: 'Running' },
    stateSince: createdAtMs,
    steps: [],
    stepIndex: 0,
    epoch: 1,
    size: { total, chunks: messages.length, tasks: 1 },
    totals: {},
    deliveryBegan: true,
    progressAt: createdAtMs,
    lastCommandSeq: 0,
    lastCommandAt: 0,
    outbox: [],
    publishedVersion: 1,
    history: [],
    droppedAnswers: 0,
    createdAt: createdAtMs,
    updatedAt: createdAtMs,
    startedAt: createdAtMs,
    ...(options.endedAt !== undefined && { endedAt: options.endedAt }),
  } as unknown as BatchDocument;
  return { batchId, incarnation, life, batch, partition, messages, numberPlaces, outcomes, placeOf };
}

/** Writes them; `outcomes: false` leaves out what the sender has not written yet. */
export async function storeSentBatch(store: Store, sent: SentBatch, { outcomes = true } = {}): Promise<void> {
  await store.batches.replaceOne({ _id: sent.batchId }, sent.batch, { upsert: true });
  await store.partitions.insertOne(sent.partition);
  if (sent.messages.length > 0) {
    await store.messageChunks.insertMany(sent.messages);
    await store.numberPlaces.insertMany(sent.numberPlaces);
  }
  if (outcomes) await storeOutcomes(store, sent);
}

export async function storeOutcomes(store: Store, { outcomes }: SentBatch): Promise<void> {
  if (outcomes.length > 0) await store.outcomes.insertMany(outcomes);
}
