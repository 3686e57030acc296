import { chunkId } from '../../contracts/ids.ts';
import type { Store } from '../../lib/store/collections.ts';
import { chunksOfBucket } from '../../lib/tables/partition-layout.ts';
import { BucketLocator, type LocatedChunk } from './bucket-locator.ts';
import type { Life } from './directory.ts';

const CHUNKS_A_READ = 100;

export interface Bucket {
  life: Life;
  bucket: number;
}

export const bucketKey = ({ life, bucket }: Bucket): string => `${life.id}/${bucket}`;

/** Locators of the buckets that receipts came for lately; the least recently used go when there are too many rows. */
export class Locators {
  readonly #store: Pick<Store, 'messageChunks'>;
  readonly #maxRows: number;
  /** In order of use: a Map keeps the order of insertion. */
  readonly #known = new Map<string, BucketLocator>();
  #rows = 0;

  constructor(store: Pick<Store, 'messageChunks'>, maxRows: number) {
    this.#store = store;
    this.#maxRows = maxRows;
  }

  get rows(): number {
    return this.#rows;
  }

  get(life: Life, bucket: number): BucketLocator | undefined {
    return this.#known.get(keyOf(life, bucket));
  }

  /** Reads what is missing. A bucket whose chunks are not all prepared yet stays missing. */
  async load(wanted: readonly Bucket[]): Promise<void> {
    const missing = wanted.filter(({ life, bucket }) => !this.#known.has(keyOf(life, bucket)));
    const ids: string[] = [];
    for (const { life, bucket } of missing) ids.push(...chunkIds(life, bucket));
    const chunks = new Map<string, LocatedChunk>();
    for (let at = 0; at < ids.length; at += CHUNKS_A_READ) {
      const found = await this.#store.messageChunks
        .find(
          { _id: { $in: ids.slice(at, at + CHUNKS_A_READ) } },
          { projection: { index: 1, size: 1, phones: 1, segments: 1 }, batchSize: CHUNKS_A_READ },
        )
        .toArray();
      for (const chunk of found) chunks.set(chunk._id, chunk);
    }
    for (const { life, bucket } of missing) {
      const own = chunkIds(life, bucket).map((id) => chunks.get(id));
      if (own.every((chunk) => chunk !== undefined)) this.#keep(keyOf(life, bucket), new BucketLocator(own));
    }
  }

  /** Marks as used, and lets go of what was used longest ago. Called once a round, not once a receipt. */
  touch(wanted: Iterable<Bucket>): void {
    for (const { life, bucket } of wanted) {
      const key = keyOf(life, bucket);
      const locator = this.#known.get(key);
      if (!locator) continue;
      this.#known.delete(key);
      this.#known.set(key, locator);
    }
    for (const [key, locator] of this.#known) {
      if (this.#rows <= this.#maxRows) break;
      this.#known.delete(key);
      this.#rows -= locator.size;
    }
  }

  #keep(key: string, locator: BucketLocator): void {
    this.#known.set(key, locator);
    this.#rows += locator.size;
  }
}

const keyOf = (life: Life, bucket: number): string => bucketKey({ life, bucket });

function chunkIds(life: Life, bucket: number): string[] {
  const ids: string[] = [];
  const { from, to } = chunksOfBucket(life.layout, bucket);
  for (let index = from; index < to; index++) {
    ids.push(chunkId(life.batchId, life.incarnation, index));
  }
  return ids;
}
