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

/** A bucket of a life, while receipts are looked up in it. */
interface Looked {
  locator: BucketLocator | undefined;
  /** By chunk index. */
  groups: Map<number, ChunkGroup>;
  passedOver: boolean;
}

/**
 * Moves each receipt on to the next life that has its number, from the newest to the oldest. In whatever order they come:
 * a search in a bucket costs less than sorting them. `unreadable`: buckets whose chunks are not all there.
 */
export function locate(
  items: readonly JoinItem[],
  directory: Directory,
  locators: Locators,
  unreadable: ReadonlySet<string>,
): Located {
  const located: Located = { groups: [], missing: new Map(), waiting: [], used: new Map() };
  const lookedByLife = new Map<Life, (Looked | undefined)[]>();
  let provider: string | undefined;
  let lives: readonly Life[] = [];
  let lastLife: Life | undefined;
  let lookedInLife: (Looked | undefined)[] = [];

  const lookInto = (life: Life, bucket: number): Looked => {
    const key = bucketKey({ life, bucket });
    const looked: Looked = {
      locator: locators.get(life, bucket),
      groups: new Map(),
      passedOver: unreadable.has(key),
    };
    if (looked.locator) located.used.set(key, { life, bucket });
    else if (!looked.passedOver) located.missing.set(key, { life, bucket });
    lookedInLife[bucket] = looked;
    return looked;
  };
  const groupOf = ({ groups }: Looked, life: Life, index: number): ChunkGroup => {
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
      if (life !== lastLife) {
        lastLife = life;
        lookedInLife = lookedByLife.get(life) ?? [];
        lookedByLife.set(life, lookedInLife);
      }
      const bucket = bucketOf(item.hash, life.layout.bucketBits);
      const looked = lookedInLife[bucket] ?? lookInto(life, bucket);
      const { locator } = looked;
      if (!locator) {
        if (looked.passedOver) continue;
        located.waiting.push(item);
        break;
      }
      const entry = locator.find(item.hash);
      if (entry === -1) continue;
      item.position = locator.positionAt(entry);
      item.parts = locator.partsAt(entry);
      groupOf(looked, life, locator.chunkAt(entry)).items.push(item);
      for (let at = entry + 1; locator.hasHash(at, item.hash); at++) {
        const other = { item, position: locator.positionAt(at), parts: locator.partsAt(at) };
        groupOf(looked, life, locator.chunkAt(at)).others.push(other);
      }
      break;
    }
  }
  return located;
}
