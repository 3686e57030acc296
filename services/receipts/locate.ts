import { chunkId } from '../../contracts/ids.ts';
import { bucketOf } from '../../lib/phone/bucket.ts';
import type { BucketLocator } from './bucket-locator.ts';
import type { Directory, Life } from './directory.ts';
import type { JoinItem } from './join-item.ts';
import type { Locators } from './locators.ts';

/** A receipt at a position of a chunk, not yet compared. */
export interface Found {
  item: JoinItem;
  position: number;
  parts: number;
}

export interface Bucket {
  life: Life;
  bucket: number;
}

/** What one pass over receipts found: chunks to look into, and buckets that have to be read first. */
export interface Located {
  byChunk: Map<string, Found[]>;
  /** Items in `byChunk`. */
  items: JoinItem[];
  missing: Map<string, Bucket>;
  /** Items that wait for a bucket. */
  waiting: JoinItem[];
  used: Map<string, Bucket>;
}

/** Sorted by bucket, of whatever size buckets are: a bucket is the upper bits of the hash. */
export function sortedByHash(items: readonly JoinItem[]): JoinItem[] {
  const keys = new Float64Array(items.length);
  for (let i = 0; i < items.length; i++) keys[i] = items[i]!.hash * MAX_ITEMS + i;
  keys.sort();
  return Array.from(keys, (key) => items[key % MAX_ITEMS]!);
}

/** A hash and an index in one double. */
const MAX_ITEMS = 2 ** 21;

/**
 * Moves each receipt on to the next life that has its number, from the newest to the oldest. `unreadable`: buckets whose
 * chunks are not all there.
 */
export function locate(
  items: readonly JoinItem[],
  directory: Directory,
  locators: Locators,
  unreadable: ReadonlySet<string>,
): Located {
  const located: Located = {
    byChunk: new Map(),
    items: [],
    missing: new Map(),
    waiting: [],
    used: new Map(),
  };
  // Receipts come sorted by bucket: most of them are for the same bucket of the same life as the one before.
  let lastLife: Life | undefined;
  let lastBucket = -1;
  let lastLocator: BucketLocator | undefined;

  const locatorOf = (life: Life, bucket: number): BucketLocator | undefined => {
    if (life === lastLife && bucket === lastBucket) return lastLocator;
    lastLife = life;
    lastBucket = bucket;
    lastLocator = locators.get(life, bucket);
    if (lastLocator) located.used.set(`${life.id}/${bucket}`, { life, bucket });
    return lastLocator;
  };

  for (const item of items) {
    const lives = directory.livesOf(item.provider);
    for (; item.cursor < lives.length; item.cursor++) {
      const life = lives[item.cursor]!;
      const bucket = bucketOf(item.hash, life.layout.bucketBits);
      const locator = locatorOf(life, bucket);
      if (!locator) {
        const key = `${life.id}/${bucket}`;
        if (unreadable.has(key)) continue;
        located.missing.set(key, { life, bucket });
        located.waiting.push(item);
        break;
      }
      const entry = locator.find(item.hash);
      if (entry === -1) continue;
      for (let at = entry; locator.hasHash(at, item.hash); at++) {
        const id = chunkId(life.batchId, life.incarnation, locator.chunkAt(at));
        const found = { item, position: locator.positionAt(at), parts: locator.partsAt(at) };
        const group = located.byChunk.get(id);
        if (group) group.push(found);
        else located.byChunk.set(id, [found]);
      }
      located.items.push(item);
      break;
    }
  }
  return located;
}
