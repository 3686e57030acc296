import type { PartitionDocument } from '../store/partition-document.ts';
import { sourceChunkId } from '../store/table-documents.ts';

/** What the order of a batch's chunks hangs on: by bucket, within a bucket by import, within an import by number. */
export type ChunkLayout = Pick<PartitionDocument, 'bucketBits' | 'imports'>;
export type TaskLayout = ChunkLayout & Pick<PartitionDocument, 'taskStarts'>;

/** From the first to before the last: `from <= n < to`. */
export interface Range {
  from: number;
  to: number;
}

export interface SourceChunkPlace {
  /** `_id` of the source chunk. */
  id: string;
  bucket: number;
  importId: string;
  /** Its number among the import's chunks of this bucket. */
  i: number;
}

// A partition never changes, and is asked about every one of its chunks.
const knownStarts = new WeakMap<object, Uint32Array>();

/** Index of the first chunk of each bucket; one more entry for the end. */
function bucketStarts(layout: ChunkLayout): Uint32Array {
  const known = knownStarts.get(layout.imports);
  if (known) return known;
  const buckets = 2 ** layout.bucketBits;
  const starts = new Uint32Array(buckets + 1);
  for (let bucket = 0; bucket < buckets; bucket++) {
    let chunks = 0;
    for (const { chunksByBucket } of layout.imports) chunks += chunksByBucket[bucket] ?? 0;
    starts[bucket + 1] = starts[bucket]! + chunks;
  }
  knownStarts.set(layout.imports, starts);
  return starts;
}

/** Chunk indices of a bucket; empty where it has none. */
export function chunksOfBucket(layout: ChunkLayout, bucket: number): Range {
  const starts = bucketStarts(layout);
  if (bucket < 0 || bucket >= starts.length - 1)
    throw new RangeError(`bucket ${bucket} of ${starts.length - 1}`);
  return { from: starts[bucket]!, to: starts[bucket + 1]! };
}

/** The bucket that chunk `index` belongs to. */
export function bucketOfChunk(layout: ChunkLayout, index: number): number {
  const starts = bucketStarts(layout);
  const chunks = starts[starts.length - 1]!;
  if (index < 0 || index >= chunks) throw new RangeError(`chunk ${index} of ${chunks}`);
  let low = 0;
  let high = starts.length - 1;
  // The last bucket that begins at or before it; empty ones begin where the next does.
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= index) low = middle;
    else high = middle;
  }
  return low;
}

/** Which source chunk becomes chunk `index` of the batch. */
export function sourceChunkAt(
  layout: ChunkLayout & Pick<PartitionDocument, 'table' | 'generation'>,
  index: number,
): SourceChunkPlace {
  const bucket = bucketOfChunk(layout, index);
  let i = index - bucketStarts(layout)[bucket]!;
  for (const { id, chunksByBucket } of layout.imports) {
    const chunks = chunksByBucket[bucket] ?? 0;
    if (i < chunks) {
      return { id: sourceChunkId(layout.table, layout.generation, id, bucket, i), bucket, importId: id, i };
    }
    i -= chunks;
  }
  throw new RangeError(`chunk ${index} is in no import`);
}

/** Buckets of task `n`. */
export function bucketsOfTask(
  { taskStarts, bucketBits }: Pick<TaskLayout, 'taskStarts' | 'bucketBits'>,
  n: number,
): Range {
  if (n < 0 || n >= taskStarts.length) throw new RangeError(`task ${n} of ${taskStarts.length}`);
  return { from: taskStarts[n]!, to: taskStarts[n + 1] ?? 2 ** bucketBits };
}

/** Chunk indices of task `n`. */
export function chunkRangeOfTask(layout: TaskLayout, n: number): Range {
  const buckets = bucketsOfTask(layout, n);
  const starts = bucketStarts(layout);
  return { from: starts[buckets.from]!, to: starts[buckets.to]! };
}

/** The task that chunk `index` belongs to. */
export function taskOfChunk(layout: TaskLayout, index: number): number {
  const bucket = bucketOfChunk(layout, index);
  return layout.taskStarts.findLastIndex((start) => start <= bucket);
}
