import { chunkId } from '../../contracts/ids.ts';
import type { Store } from '../../lib/store/collections.ts';
import { placesOf } from '../../lib/store/number-places.ts';
import { chunksOfBucket } from '../../lib/tables/partition-layout.ts';
import { BucketLocator } from './bucket-locator.ts';
import type { Life } from './directory.ts';

const BUCKETS_A_READ = 50;

const NOBODY = placesOf('', '', []);

export interface Bucket {
  life: Life;
  bucket: number;
}

export const bucketKey = ({ life, bucket }: Bucket): string => `${life.id}/${bucket}`;

/** Locators of the buckets that receipts came for lately; the least recently used go when there are too many rows. */
export class Locators {
  readonly #store: Pick<Store, 'numberPlaces'>;
  readonly #maxRows: number;
  /** In order of use: a Map keeps the order of insertion. */
  readonly #known = new Map<string, BucketLocator>();
  #rows = 0;

  constructor(store: Pick<Store, 'numberPlaces'>, maxRows: number) {
    this.#store = store;
    this.#maxRows = maxRows;
  }

  get rows(): number {
    return this.#rows;
  }

  get(life: Life, bucket: number): BucketLocator | undefined {
    return this.#known.get(keyOf(life, bucket));
  }

  /** Reads what is missing. A bucket that is not prepared yet stays missing. */
  async load(wanted: readonly Bucket[]): Promise<void> {
    const keys = new Map<string, string>();
    for (const { life, bucket } of wanted) {
      const key = keyOf(life, bucket);
      if (this.#known.has(key)) continue;
      const { from, to } = chunksOfBucket(life.layout, bucket);
      if (from === to) this.#keep(key, new BucketLocator(NOBODY));
      else keys.set(chunkId(life.batchId, life.incarnation, from), key);
    }
    const ids = [...keys.keys()];
    for (let at = 0; at < ids.length; at += BUCKETS_A_READ) {
      const found = await this.#store.numberPlaces
        .find({ _id: { $in: ids.slice(at, at + BUCKETS_A_READ) } }, { batchSize: BUCKETS_A_READ + 1 })
        .toArray();
      for (const each of found) this.#keep(keys.get(each._id)!, new BucketLocator(each));
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
