import { bucketOf } from '../../lib/phone/bucket.ts';
import type { BucketLocator } from './bucket-locator.ts';
import type { Directory, Life } from './directory.ts';
import type { JoinItem } from './join-item.ts';
import { type Bucket, bucketKey, type Locators } from './locators.ts';

/** A further place with the same hash: a number may stand in a batch once, but 32 bits may stand for two numbers. */
export interface OtherPlace {
  item: JoinItem;
  position: number;
  parts: number;
}

/** Receipts whose number is in one chunk; each item has its first place in itself. */
export interface ChunkGroup {
  life: Life;
  index: number;
  items: JoinItem[];
  others: OtherPlace[];
}

/** What one pass over receipts found: chunks to look into, and buckets that have to be read first. */
export interface Located {
  groups: ChunkGroup[];
  missing: Map<string, Bucket>;
  /** Items that wait for a bucket. */
  waiting: JoinItem[];
  used: Map<string, Bucket>;
}

/** A hash and an index in one double. */
const MAX_ITEMS = 2 ** 21;

/** Sorted by bucket, of whatever size buckets are: a bucket is the upper bits of the hash. */
export function sortedByHash(items: readonly JoinItem[]): JoinItem[] {
  const keys = new Float64Array(items.length);
  for (let i = 0; i < items.length; i++) keys[i] = items[i]!.hash * MAX_ITEMS + i;
  keys.sort();
  const sorted = new Array<JoinItem>(items.length);
  for (let i = 0; i < items.length; i++) sorted[i] = items[keys[i]! % MAX_ITEMS]!;
  return sorted;
}

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
  const located: Located = { groups: [], missing: new Map(), waiting: [], used: new Map() };
  // Receipts come sorted by bucket: most are for the same bucket of the same life as the one before.
  let last: Bucket | undefined;
  let locator: BucketLocator | undefined;
  let groups = new Map<number, ChunkGroup>();
  const groupsByBucket = new Map<string, Map<number, ChunkGroup>>();
  let provider: string | undefined;
  let lives: readonly Life[] = [];

  const turnTo = (life: Life, bucket: number): void => {
    last = { life, bucket };
    locator = locators.get(life, bucket);
    if (!locator) return;
    const key = bucketKey(last);
    located.used.set(key, last);
    groups = groupsByBucket.get(key) ?? new Map();
    groupsByBucket.set(key, groups);
  };
  const groupOf = (life: Life, index: number): ChunkGroup => {
    let group = groups.get(index);
    if (!group) {
      group = { life, index, items: [], others: [] };
      groups.set(index, group);
      located.groups.push(group);
    }
    return group;
  };

  for (const item of items) {
    if (item.provider !== provider) {
      provider = item.provider;
      lives = directory.livesOf(provider);
    }
    for (; item.cursor < lives.length; item.cursor++) {
      const life = lives[item.cursor]!;
      const bucket = bucketOf(item.hash, life.layout.bucketBits);
      if (!last || life !== last.life || bucket !== last.bucket) turnTo(life, bucket);
      if (!locator) {
        const key = bucketKey(last!);
        if (unreadable.has(key)) continue;
        located.missing.set(key, last!);
        located.waiting.push(item);
        break;
      }
      const entry = locator.find(item.hash);
      if (entry === -1) continue;
      item.position = locator.positionAt(entry);
      item.parts = locator.partsAt(entry);
      groupOf(life, locator.chunkAt(entry)).items.push(item);
      for (let at = entry + 1; locator.hasHash(at, item.hash); at++) {
        const other = { item, position: locator.positionAt(at), parts: locator.partsAt(at) };
        groupOf(life, locator.chunkAt(at)).others.push(other);
      }
      break;
    }
  }
  return located;
}
