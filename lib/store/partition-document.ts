import type { InlineRecipient } from '../../contracts/batch.ts';

/**
 * What `partition` froze: which source chunks a batch consists of, in which order, and how they fall into tasks.
 * `_id` is `<batchId>.<incarnation>`; inserted once, never changed.
 * Order of chunks: by bucket, within a bucket by import, within an import by number.
 */
export interface PartitionDocument {
  _id: string;
  batchId: string;
  /** Table (or private table of the batch) and its generation, from which source chunk ids are made. */
  table: string;
  generation: number;
  columns: string[];
  bucketBits: number;
  imports: { id: string; chunksByBucket: number[] }[];
  /** First bucket of each task, ascending; the last task ends with the last bucket. */
  taskStarts: number[];
  total: number;
  chunks: number;
  createdAt: number;
}

/** Inline recipients of a batch, kept apart so that the actor's document stays small. `_id` = life id. */
export interface InlineRecipientsDocument {
  _id: string;
  recipients: InlineRecipient[];
}
