import { chunkId } from '../../../contracts/ids.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { type NumberedChunk, type NumberPlaces, placesOf } from '../../../lib/store/number-places.ts';
import { bucketOfChunk, type ChunkLayout, chunksOfBucket } from '../../../lib/tables/partition-layout.ts';

/** Where the numbers are of the bucket that is worked on; holds never more than one bucket's. */
export interface BucketPlaces {
  /** Takes the next chunk, in order. @returns the bucket's document once its last chunk is there */
  add(chunk: NumberedChunk): Promise<NumberPlaces | undefined>;
}

export function bucketPlaces(
  store: Pick<Store, 'messageChunks'>,
  layout: ChunkLayout,
  life: { batchId: string; incarnation: string },
): BucketPlaces {
  const idOf = (index: number) => chunkId(life.batchId, life.incarnation, index);
  let chunks: NumberedChunk[] = [];

  /** A task that goes on in the middle of a bucket reads again what stands before. */
  async function before(from: number, index: number): Promise<NumberedChunk[]> {
    const ids = Array.from({ length: index - from }, (_, i) => idOf(from + i));
    const projection = { index: 1, size: 1, phones: 1, segments: 1 };
    const found = await store.messageChunks
      .find({ _id: { $in: ids } }, { projection, batchSize: ids.length + 1 })
      .toArray();
    if (found.length < ids.length)
      throw new Error(`${ids.length - found.length} chunks before ${idOf(index)} are missing`);
    return found;
  }

  return {
    async add(chunk) {
      const { from, to } = chunksOfBucket(layout, bucketOfChunk(layout, chunk.index));
      if (chunk.index === from) chunks = [];
      else if (chunks.at(-1)?.index !== chunk.index - 1) chunks = await before(from, chunk.index);
      chunks.push(chunk);
      if (chunk.index + 1 < to) return undefined;
      const whole = chunks;
      chunks = [];
      return placesOf(idOf(from), life.batchId, whole);
    },
  };
}
