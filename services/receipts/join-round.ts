import { chunkId, lifeId, parseChunkId } from '../../contracts/ids.ts';
import type { ReceiptCounts } from '../../contracts/outcomes.ts';
import type { LateAnswerEntry } from '../../lib/store/merge-outcomes.ts';
import type { Chunks } from './chunks.ts';
import type { Directory } from './directory.ts';
import type { JoinItem, LateItem } from './join-item.ts';
import { type ChunkGroup, locate } from './locate.ts';
import type { Bucket, Locators } from './locators.ts';
import type { ReceiptChunk } from './receipt-chunk.ts';

export interface Joining {
  directory: Directory;
  locators: Locators;
  chunks: Chunks;
}

export interface RoundOptions {
  /** Looks on in older batches, too, where a younger one has the number and its id may still come. */
  deep: boolean;
  /** Buckets read in one round; receipts of further ones wait for the next. */
  maxBucketReads: number;
}

const MAX_RACES = 10;

/** What is joined to a chunk, kept until it is stored: after a lost race it is joined again to what the winner wrote. */
interface Changes {
  items: JoinItem[];
  late: LateAnswerEntry[];
}

/**
 * One round: each receipt is compared with the ids at its number's places, then one versioned write a
 * chunk. What it has joined is stored when `store` resolves. Whatever it throws, a repetition is harmless.
 */
export class JoinRound {
  readonly #joining: Joining;
  readonly #options: RoundOptions;
  readonly #changes = new Map<ReceiptChunk, Changes>();
  readonly #startedAt = performance.now();
  readonly #used = new Map<string, Bucket>();
  readonly #seen = new Set<string>();
  #bucketReads = 0;
  /** Not only receipts have moved, but what became of messages. */
  movedOutcomes = false;

  constructor(joining: Joining, options: RoundOptions) {
    this.#joining = joining;
    this.#options = options;
  }

  /** Batches that something was joined to, changed or not. */
  get lives(): Set<string> {
    const lives = new Set<string>();
    for (const chunk of this.#changes.keys()) {
      const { batchId, incarnation } = parseChunkId(chunk.id)!;
      lives.add(lifeId(batchId, incarnation));
    }
    return lives;
  }

  /** Compares receipts that have a number. Sets `joined`, or what they are waiting for. */
  async match(items: readonly JoinItem[]): Promise<void> {
    for (const item of items) {
      item.cursor = 0;
      item.awaiting = undefined;
    }
    const { directory, locators } = this.#joining;
    const unreadable = new Set<string>();
    let frontier = items;
    while (frontier.length > 0) {
      const located = locate(frontier, directory, locators, unreadable);
      for (const [key, bucket] of located.used) this.#used.set(key, bucket);
      await this.#readBuckets(located.missing, unreadable);
      await this.#compare(located.groups);
      const next: JoinItem[] = located.waiting;
      for (const { items: compared } of located.groups) {
        for (const item of compared) {
          if (item.joined || (item.awaiting && !this.#options.deep)) continue;
          item.cursor += 1;
          next.push(item);
        }
      }
      frontier = next;
    }
  }

  async #readBuckets(missing: ReadonlyMap<string, Bucket>, unreadable: Set<string>): Promise<void> {
    if (missing.size === 0) return;
    const wanted = [...missing.values()].slice(
      0,
      Math.max(0, this.#options.maxBucketReads - this.#bucketReads),
    );
    this.#bucketReads += wanted.length;
    await this.#joining.locators.load(wanted);
    // Not all chunks are prepared, or it is too much for one round: passed over now, looked at again in the next.
    for (const [key, { life, bucket }] of missing) {
      if (!this.#joining.locators.get(life, bucket)) unreadable.add(key);
    }
  }

  async #compare(groups: readonly ChunkGroup[]): Promise<void> {
    if (groups.length === 0) return;
    const { chunks } = this.#joining;
    const ids = groups.map(({ life, index }) => chunkId(life.batchId, life.incarnation, index));
    await chunks.load(ids);
    const again: { chunk: ReceiptChunk; group: ChunkGroup }[] = [];
    groups.forEach((group, i) => {
      const id = ids[i]!;
      this.#seen.add(id);
      const chunk = chunks.get(id);
      if (!chunk) {
        for (const item of group.items) item.awaits(id, item.position, item.parts);
        return;
      }
      if (this.#compareGroup(chunk, group)) return;
      if (!chunk.settled && chunk.loadedAtMs < this.#startedAt) again.push({ chunk, group });
      else leave(chunk, group);
    });
    if (again.length === 0) return;
    await chunks.refresh(again.map(({ chunk }) => chunk));
    for (const { chunk, group } of again) if (!this.#compareGroup(chunk, group)) leave(chunk, group);
  }

  /** @returns whether all of them fit */
  #compareGroup(chunk: ReceiptChunk, { items, others }: ChunkGroup): boolean {
    let all = true;
    for (const item of items)
      if (!item.joined && !this.#try(chunk, item, item.position, item.parts)) all = false;
    for (const { item, position, parts } of others) {
      if (!item.joined && !this.#try(chunk, item, position, parts)) all = false;
    }
    return all;
  }

  #try(chunk: ReceiptChunk, item: JoinItem, position: number, parts: number): boolean {
    if (chunk.provider !== undefined && chunk.provider !== item.provider) return false;
    const part = item.partOf(chunk, position);
    if (part === -1) return false;
    this.join(chunk, item, position, parts, part);
    return true;
  }

  join(chunk: ReceiptChunk, item: JoinItem, position: number, parts: number, part: number): void {
    item.joined = true;
    item.awaiting = undefined;
    item.position = position;
    item.parts = parts;
    item.part = part;
    applyReceipt(chunk, item);
    this.#changesOf(chunk).items.push(item);
  }

  answer(chunk: ReceiptChunk, answer: LateAnswerEntry): void {
    this.movedOutcomes = true;
    chunk.answerLate(answer);
    this.#changesOf(chunk).late.push(answer);
  }

  #changesOf(chunk: ReceiptChunk): Changes {
    let changes = this.#changes.get(chunk);
    if (!changes) {
      changes = { items: [], late: [] };
      this.#changes.set(chunk, changes);
    }
    return changes;
  }

  /** Joins answers that came in after their task went to someone else. */
  async answerLate(items: readonly LateItem[]): Promise<void> {
    if (items.length === 0) return;
    const { chunks } = this.#joining;
    await chunks.load([...new Set(items.map(({ answer }) => answer.chunk))]);
    for (const item of items) {
      const { chunk: id, ...answer } = item.answer;
      const chunk = chunks.get(id);
      this.#seen.add(id);
      if (!chunk || answer.position >= chunk.size) continue;
      item.joined = true;
      this.answer(chunk, answer);
    }
  }

  /** Stores all that was joined. */
  async store(onCounts: (id: string, counts: ReceiptCounts) => void): Promise<void> {
    const { chunks, locators } = this.#joining;
    let dirty = [...this.#changes.keys()].filter((chunk) => chunk.columns.changed);
    for (let races = 0; dirty.length > 0; races++) {
      if (await chunks.write(dirty, onCounts)) break;
      if (races === MAX_RACES)
        throw new Error(`${dirty.length} receipt documents are written by others all the time`);
      const lost = dirty.filter((chunk) => chunk.columns.changed);
      await chunks.reread(lost);
      for (const chunk of lost) {
        const { items, late } = this.#changes.get(chunk)!;
        for (const answer of late) chunk.answerLate(answer);
        for (const item of items) applyReceipt(chunk, item);
      }
      dirty = lost.filter((chunk) => chunk.columns.changed);
    }
    locators.touch(this.#used.values());
    chunks.touch(this.#seen);
  }

  /** After a failure: what is in memory may be ahead of, or behind, what is stored. */
  forget(): void {
    this.#joining.chunks.forget([...this.#changes.keys()].map((chunk) => chunk.id));
  }
}

function applyReceipt(chunk: ReceiptChunk, item: JoinItem): void {
  const { position, part, letter, error, atMs } = item;
  const parts = Math.max(item.parts, chunk.partCount(position));
  chunk.columns.join(position, part, parts, letter, error, atMs);
}

/** Those that fit no id, where one may still come. */
function leave(chunk: ReceiptChunk, { items, others }: ChunkGroup): void {
  for (const item of items) {
    if (!item.joined && chunk.awaitsId(item.position)) item.awaits(chunk.id, item.position, item.parts);
  }
  for (const { item, position, parts } of others) {
    if (!item.joined && chunk.awaitsId(position)) item.awaits(chunk.id, position, parts);
  }
}
