import { lifeId, parseChunkId } from '../../contracts/ids.ts';
import type { ReceiptCounts } from '../../contracts/outcomes.ts';
import type { LateAnswerEntry } from '../../lib/store/merge-outcomes.ts';
import { RECEIPT_LETTERS } from '../../lib/store/receipt-lattice.ts';
import type { Chunks } from './chunks.ts';
import type { Directory } from './directory.ts';
import type { JoinItem, LateItem } from './join-item.ts';
import { type Bucket, type Found, locate, sortedByHash } from './locate.ts';
import type { Locators } from './locators.ts';
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

/** One change to a chunk, kept until it is stored: after a lost race it is made again on what the winner wrote. */
type Change = { kind: 'receipt'; found: Found; part: number } | { kind: 'late'; answer: LateAnswerEntry };

/**
 * One round: receipts sorted by bucket, each compared with the ids at its number's places, then one versioned write a
 * chunk. What it has joined is stored when it resolves. Whatever it throws, a repetition is harmless.
 */
export class JoinRound {
  readonly #joining: Joining;
  readonly #options: RoundOptions;
  readonly #changes = new Map<ReceiptChunk, Change[]>();
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

  /** Chunks that something was joined to, changed or not. */
  get chunks(): Iterable<ReceiptChunk> {
    return this.#changes.keys();
  }

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
    let frontier = sortedByHash(items);
    while (frontier.length > 0) {
      const located = locate(frontier, directory, locators, unreadable);
      for (const [key, bucket] of located.used) this.#used.set(key, bucket);
      await this.#readBuckets(located.missing, unreadable);
      await this.#compare(located.byChunk);
      const next = located.waiting;
      for (const item of located.items) {
        if (item.joined || (item.awaiting && !this.#options.deep)) continue;
        item.cursor += 1;
        next.push(item);
      }
      frontier = next;
    }
  }

  async #readBuckets(missing: ReadonlyMap<string, Bucket>, unreadable: Set<string>): Promise<void> {
    if (missing.size === 0) return;
    const wanted = [...missing].slice(0, Math.max(0, this.#options.maxBucketReads - this.#bucketReads));
    this.#bucketReads += wanted.length;
    await this.#joining.locators.load(wanted.map(([, bucket]) => bucket));
    // Not all chunks are prepared, or it is too much for one round: passed over now, looked at again in the next.
    for (const [key, { life, bucket }] of missing) {
      if (!this.#joining.locators.get(life, bucket)) unreadable.add(key);
    }
  }

  async #compare(byChunk: ReadonlyMap<string, Found[]>): Promise<void> {
    if (byChunk.size === 0) return;
    const { chunks } = this.#joining;
    await chunks.load([...byChunk.keys()]);
    const again: [ReceiptChunk, Found[]][] = [];
    for (const [id, group] of byChunk) {
      this.#seen.add(id);
      const chunk = chunks.get(id);
      if (!chunk) {
        for (const found of group) await_(id, found);
        continue;
      }
      const left = this.#compareGroup(chunk, group);
      if (left.length === 0) continue;
      if (!chunk.settled && chunk.loadedAtMs < this.#startedAt) again.push([chunk, left]);
      else this.#leave(chunk, left);
    }
    if (again.length === 0) return;
    await chunks.refresh(again.map(([chunk]) => chunk));
    for (const [chunk, left] of again) this.#leave(chunk, this.#compareGroup(chunk, left));
  }

  /** @returns those that did not fit */
  #compareGroup(chunk: ReceiptChunk, group: readonly Found[]): Found[] {
    const left: Found[] = [];
    for (const found of group) {
      const { item, position } = found;
      if (item.joined) continue;
      if (chunk.provider !== undefined && chunk.provider !== item.provider) continue;
      const part = item.partOf(chunk, position);
      if (part === -1) left.push(found);
      else this.join(chunk, found, part);
    }
    return left;
  }

  join(chunk: ReceiptChunk, found: Found, part: number): void {
    found.item.joined = true;
    found.item.awaiting = undefined;
    this.#change(chunk, { kind: 'receipt', found, part });
  }

  answer(chunk: ReceiptChunk, answer: LateAnswerEntry): void {
    this.movedOutcomes = true;
    this.#change(chunk, { kind: 'late', answer });
  }

  #change(chunk: ReceiptChunk, change: Change): void {
    apply(chunk, change);
    const changes = this.#changes.get(chunk);
    if (changes) changes.push(change);
    else this.#changes.set(chunk, [change]);
  }

  #leave(chunk: ReceiptChunk, left: readonly Found[]): void {
    for (const found of left) if (chunk.awaitsId(found.position)) await_(chunk.id, found);
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
      for (const chunk of lost) for (const change of this.#changes.get(chunk)!) apply(chunk, change);
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

function apply(chunk: ReceiptChunk, change: Change): void {
  if (change.kind === 'late') {
    chunk.answerLate(change.answer);
    return;
  }
  const { item, position, parts } = change.found;
  const { state, error = '', atMs } = item.receipt;
  const all = Math.max(parts, chunk.idCount(position));
  chunk.columns.join(position, change.part, all, RECEIPT_LETTERS[state], error, atMs);
}

function await_(chunk: string, { item, position, parts }: Found): void {
  if (item.awaiting) item.awaiting.push({ chunk, position, parts });
  else item.awaiting = [{ chunk, position, parts }];
}
