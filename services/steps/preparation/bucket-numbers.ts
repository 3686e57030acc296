import type { Store } from '../../../lib/store/collections.ts';
import { splitColumn } from '../../../lib/store/columns.ts';
import type { PartitionDocument } from '../../../lib/store/partition-document.ts';
import { chunksOfBucket, sourceChunkAt } from '../../../lib/tables/partition-layout.ts';
import { readSourceChunks } from '../source-chunks.ts';

const CHUNKS_A_READ = 16;

/** The numbers seen so far in the bucket that is worked on; never of more than one bucket. */
export interface BucketNumbers {
  /** The set for a chunk: a new one where the chunk begins a bucket. Chunks come in order. */
  seenBefore(index: number): Promise<Set<string>>;
}

export function bucketNumbers(
  store: Pick<Store, 'sourceChunks'>,
  partition: PartitionDocument,
): BucketNumbers {
  let current: { bucket: number; next: number; seen: Set<string> } | undefined;

  /** A task that goes on in the middle of a bucket reads again what stood before, in frozen order. */
  async function begin(bucket: number, index: number): Promise<Set<string>> {
    const seen = new Set<string>();
    const { from } = chunksOfBucket(partition, bucket);
    for (let at = from; at < index; at += CHUNKS_A_READ) {
      const chunks = await readSourceChunks(store, partition, at, Math.min(index, at + CHUNKS_A_READ), []);
      for (const { phones, size } of chunks) {
        for (const phone of splitColumn(phones, size)) seen.add(phone);
      }
    }
    return seen;
  }

  return {
    async seenBefore(index) {
      const { bucket } = sourceChunkAt(partition, index);
      if (current?.bucket !== bucket || current.next !== index) {
        current = { bucket, next: index, seen: await begin(bucket, index) };
      }
      current.next = index + 1;
      return current.seen;
    },
  };
}
