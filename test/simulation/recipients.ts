import { OUTCOME_LETTERS } from '../../contracts/outcomes.ts';
import { bucketOf, hashMsisdn } from '../../lib/phone/bucket.ts';
import type { MessageChunk, OutcomeDocument } from '../../lib/store/chunk-documents.ts';
import { joinColumn } from '../../lib/store/columns.ts';
import { type NumberPlaces, placesOf } from '../../lib/store/number-places.ts';
import { countStatuses, initialColumns } from '../../lib/store/outcome-columns.ts';
import type { PartitionDocument } from '../../lib/store/partition-document.ts';

/** One who is to get one message of one batch. */
export interface Recipient {
  batchId: string;
  task: number;
  index: number;
  position: number;
  phone: string;
  /** 0: not to be sent. */
  parts: number;
}

export interface BatchPlan {
  batchId: string;
  /** Chunks of each task, and recipients of each chunk. */
  chunksOfTask: number[];
  chunkSize: number;
  recipients: Recipient[];
}

const LONG_TEXT = 'Three parts. '.repeat(30);

/** Who gets what in a batch: fixed before it is created, as a table is. Some have long texts, some are left out. */
export function planBatch(
  batchId: string,
  nth: number,
  shape: Pick<BatchPlan, 'chunksOfTask' | 'chunkSize'>,
  random: () => number,
): BatchPlan {
  const recipients: Recipient[] = [];
  const numbers = numbersFrom(7_000_000_000 + nth * 100_000);
  const bits = bucketBitsOf(shape.chunksOfTask.length);
  let index = 0;
  shape.chunksOfTask.forEach((chunks, task) => {
    for (let chunk = 0; chunk < chunks; chunk++, index++) {
      for (let position = 0; position < shape.chunkSize; position++) {
        const phone = numbers.inBucket(task, bits);
        const luck = random();
        const parts = luck < 0.05 ? 0 : luck < 0.15 ? 3 : 1;
        recipients.push({ batchId, task, index, position, phone, parts });
      }
    }
  });
  return { batchId, ...shape, recipients };
}

/** One bucket a task: numbers are where their hash says. */
const bucketBitsOf = (tasks: number): number => Math.ceil(Math.log2(tasks));

function numbersFrom(first: number) {
  let next = first;
  return {
    inBucket(bucket: number, bits: number): string {
      for (;;) {
        const phone = `44${next++}`;
        if (bucketOf(hashMsisdn(phone), bits) === bucket) return phone;
      }
    },
  };
}

/** What `partition` would freeze. */
export const partitionDocument = (plan: BatchPlan, life: string): PartitionDocument => {
  const bucketBits = bucketBitsOf(plan.chunksOfTask.length);
  const chunksByBucket = Array.from({ length: 2 ** bucketBits }, (_, n) => plan.chunksOfTask[n] ?? 0);
  return {
    _id: life,
    batchId: plan.batchId,
    table: 't',
    generation: 1,
    columns: [],
    bucketBits,
    imports: [{ id: 'i', chunksByBucket }],
    taskStarts: plan.chunksOfTask.map((_, n) => n),
    total: plan.recipients.length,
    chunks: plan.chunksOfTask.reduce((sum, each) => sum + each, 0),
    createdAt: 0,
  };
};

export interface Prepared {
  outcomes: OutcomeDocument;
  messages: MessageChunk;
}

/** What `preparation` would make of one chunk. */
export function preparedChunk(plan: BatchPlan, id: string, index: number): Prepared {
  const rows = plan.recipients.filter((each) => each.index === index);
  const statuses = rows
    .map(({ parts }) => (parts === 0 ? OUTCOME_LETTERS.suppressed : OUTCOME_LETTERS.pending))
    .join('');
  const common = { _id: id, batchId: plan.batchId, index, size: rows.length };
  return {
    outcomes: {
      ...common,
      task: rows[0]!.task,
      ownerSeq: 0,
      ...initialColumns(statuses),
      counts: countStatuses(statuses),
      segments: 0,
      resent: 0,
      updatedAtMs: 0,
    },
    messages: {
      ...common,
      phones: joinColumn(rows.map(({ phone }) => phone)),
      texts: joinColumn(rows.map(({ parts }) => (parts > 1 ? LONG_TEXT : 'Hello'))),
      sameText: false,
      encodings: rows.map(({ parts }) => (parts === 0 ? '-' : 'g')).join(''),
      segments: rows.map(({ parts }) => parts.toString(36)).join(''),
    },
  };
}

export const placesOfTask = (id: string, batchId: string, chunks: readonly MessageChunk[]): NumberPlaces =>
  placesOf(id, batchId, chunks);
