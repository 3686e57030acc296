import type { AnyBulkWriteOperation } from 'mongodb';
import { parseChunkId } from '../../contracts/ids.ts';
import type { ReceiptCounts } from '../../contracts/outcomes.ts';
import { isDuplicateKey } from '../../lib/mongo/errors.ts';
import type { ReceiptDocument } from '../../lib/store/chunk-documents.ts';
import type { Store } from '../../lib/store/collections.ts';
import { OUTCOME_PROJECTION, ReceiptChunk, type SentChunk } from './receipt-chunk.ts';

const CHUNKS_A_READ = 100;
const CHUNKS_A_WRITE = 50;
const PAGES_AT_ONCE = 3;
const BEING_SENT_MS = 30_000;

/** Chunks that receipts came for lately, with their receipt documents as this process last read or wrote them. */
export class Chunks {
  readonly #store: Pick<Store, 'outcomes' | 'receipts'>;
  readonly #maxChunks: number;
  readonly #now: () => number;
  readonly #known = new Map<string, ReceiptChunk>();

  constructor(
    store: Pick<Store, 'outcomes' | 'receipts'>,
    maxChunks: number,
    now: () => number = () => performance.now(),
  ) {
    this.#store = store;
    this.#maxChunks = maxChunks;
    this.#now = now;
  }

  get size(): number {
    return this.#known.size;
  }

  get(id: string): ReceiptChunk | undefined {
    return this.#known.get(id);
  }

  all(): Iterable<ReceiptChunk> {
    return this.#known.values();
  }

  /** Reads chunks that are not known; one that has no outcome document yet stays unknown. */
  async load(ids: readonly string[]): Promise<void> {
    const missing = ids.filter((id) => !this.#known.has(id));
    await inPages(missing, CHUNKS_A_READ, async (page) => {
      const sent = await this.#readSent(page);
      const mayHaveSome = sent.filter((each) => !isBeingSent(each));
      const receipts = await this.#readReceipts(mayHaveSome.map(({ _id }) => _id));
      for (const each of sent) {
        this.#known.set(each._id, new ReceiptChunk(each, receipts.get(each._id), this.#now()));
      }
    });
  }

  /** Looks again for ids in chunks that are still being sent. */
  async refresh(chunks: readonly ReceiptChunk[]): Promise<void> {
    await inPages(chunks, CHUNKS_A_READ, async (page) => {
      const sent = await this.#readSent(page.map((chunk) => chunk.id));
      for (const each of sent) this.#known.get(each._id)?.refresh(each, this.#now());
    });
  }

  /** What another process wrote, after a lost race. */
  async reread(chunks: readonly ReceiptChunk[]): Promise<void> {
    await inPages(chunks, CHUNKS_A_READ, async (page) => {
      const receipts = await this.#readReceipts(page.map((chunk) => chunk.id));
      for (const chunk of page) chunk.replaceColumns(receipts.get(chunk.id));
    });
  }

  /** Forgets, so that the next receipt reads from the store. */
  forget(ids: Iterable<string>): void {
    for (const id of ids) this.#known.delete(id);
  }

  /** Marks as used, and lets go of what was used longest ago. */
  touch(ids: Iterable<string>): void {
    for (const id of ids) {
      const chunk = this.#known.get(id);
      if (!chunk) continue;
      this.#known.delete(id);
      this.#known.set(id, chunk);
    }
    for (const id of this.#known.keys()) {
      if (this.#known.size <= this.#maxChunks) break;
      this.#known.delete(id);
    }
  }

  /**
   * One versioned write a chunk. A chunk that someone else wrote meanwhile stays unwritten and `changed`.
   * @returns whether all of them were written
   */
  async write(
    chunks: readonly ReceiptChunk[],
    onCounts: (id: string, counts: ReceiptCounts) => void,
  ): Promise<boolean> {
    let all = true;
    await inPages(chunks, CHUNKS_A_WRITE, async (page) => {
      const counted = page.map((chunk) => ({ chunk, ...chunk.columns.counts(chunk.statuses) }));
      if (!(await this.#writePage(counted))) {
        all = false;
        return;
      }
      for (const { chunk, counts } of counted) {
        chunk.columns.version += 1;
        chunk.columns.changed = false;
        onCounts(chunk.id, counts);
      }
    });
    return all;
  }

  async #writePage(
    counted: readonly { chunk: ReceiptChunk; counts: ReceiptCounts; uncounted: number }[],
  ): Promise<boolean> {
    const operations: AnyBulkWriteOperation<ReceiptDocument>[] = [];
    let inserts = 0;
    for (const { chunk, counts, uncounted } of counted) {
      const { version } = chunk.columns;
      const { batchId, index } = parseChunkId(chunk.id)!;
      const document = {
        batchId,
        index,
        size: chunk.size,
        ...chunk.columns.encode(),
        counts,
        uncounted,
        version: version + 1,
      };
      if (version > 0) {
        // Replaced whole: nobody else writes it, and the server has no operators to apply.
        operations.push({ replaceOne: { filter: { _id: chunk.id, version }, replacement: document } });
      } else {
        inserts += 1;
        operations.push({ insertOne: { document: { _id: chunk.id, ...document } } });
      }
    }
    try {
      const result = await this.#store.receipts.bulkWrite(operations, { ordered: false });
      return result.insertedCount === inserts && result.matchedCount === operations.length - inserts;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  async #readSent(ids: readonly string[]): Promise<SentChunk[]> {
    return (await this.#store.outcomes
      .find({ _id: { $in: [...ids] } }, { projection: OUTCOME_PROJECTION, batchSize: CHUNKS_A_READ })
      .toArray()) as SentChunk[];
  }

  async #readReceipts(ids: readonly string[]): Promise<Map<string, ReceiptDocument>> {
    if (ids.length === 0) return new Map();
    const found = await this.#store.receipts
      .find({ _id: { $in: [...ids] } }, { batchSize: CHUNKS_A_READ })
      .toArray();
    return new Map(found.map((each) => [each._id, each]));
  }
}

/**
 * By its first owner, just now: mostly nobody has written receipts of it. One who has makes our first write a lost race, after
 * which the document is read. (Late answers, which tell ids, are of chunks that changed their owner.)
 */
const isBeingSent = ({ ownerSeq, sentFromMs }: SentChunk): boolean =>
  ownerSeq === 1 && sentFromMs !== undefined && Date.now() - sentFromMs < BEING_SENT_MS;

/** A few pages at a time, so that one is encoded while the server works on another. All are waited for, also after an error. */
async function inPages<T>(
  items: readonly T[],
  size: number,
  work: (page: readonly T[]) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const page = items.slice(next, next + size);
      next += size;
      await work(page);
    }
  };
  const done = await Promise.allSettled(Array.from({ length: PAGES_AT_ONCE }, worker));
  for (const each of done) if (each.status === 'rejected') throw each.reason;
}
