import type { Collection } from 'mongodb';
import type { Logger } from 'pino';
import type { EventBody } from '../../contracts/events.ts';
import { lifeId, parseChunkId } from '../../contracts/ids.ts';
import { addReceipts, noReceipts, type ReceiptCounts } from '../../contracts/outcomes.ts';
import { eventSubject, STREAMS } from '../../contracts/subjects.ts';
import { loopPart } from '../../lib/lifecycle/loop.ts';
import type { Part } from '../../lib/lifecycle/part.ts';
import type { Publisher } from '../../lib/nats/publish.ts';
import { type RecountDocument, recountsOf } from '../../lib/receipts/recount-document.ts';
import { type Account, accountOf } from '../../lib/stats/account.ts';
import type { Store } from '../../lib/store/collections.ts';
import { idsUnder } from '../../lib/tables/chunk-ranges.ts';

/** At most one event a second and batch. */
const EVERY_MS = 1_000;
/** A batch that nothing came for so long is counted from its documents once more, outcomes included. */
const QUIET_MS = 3_000;
/** A count that is due for so long has lost its process. */
const ABANDONED_MS = 5_000;
/** Counting takes at most this share of the time: a batch of ten million has 20,000 documents. */
const COUNTING_SHARE = 0.1;

/** What this process knows of one batch's receipts. */
interface Tally {
  /** Receipt counts by chunk index, as last read or written here. */
  byChunk: Map<number, ReceiptCounts> | undefined;
  /** What was written here while the documents are being read. */
  meanwhile: Map<number, ReceiptCounts> | undefined;
  touchedAt: number;
  /** Nothing is published before. */
  notBefore: number;
  dirty: boolean;
  /** The full count after the last change is still to come. */
  unsettled: boolean;
  /** Outcomes moved, not only receipts. */
  late: boolean;
  /** The store knows that a count is due. */
  marked: boolean;
}

export interface RecountDeps {
  store: Store;
  publisher: Publisher;
  log: Logger;
  /** This process among the others. */
  writer: string;
}

/**
 * Publishes what receipts have changed: absolute values under a version that is taken before the documents are read, so that
 * whoever has the higher version has seen everything that the lower one has. Nothing is ever added to a stored sum, so nothing
 * can drift. That a count is due is stored before the receipts are acknowledged: after a crash another process makes it.
 */
export class Recounts {
  readonly #deps: RecountDeps;
  readonly #tallies = new Map<string, Tally>();
  readonly #now: () => number;

  constructor(deps: RecountDeps, now: () => number = () => performance.now()) {
    this.#deps = deps;
    this.#now = now;
  }

  /** A chunk was written here. */
  written(chunk: string, counts: ReceiptCounts): void {
    const { batchId, incarnation, index } = parseChunkId(chunk)!;
    const tally = this.#tallies.get(lifeId(batchId, incarnation));
    tally?.byChunk?.set(index, counts);
    tally?.meanwhile?.set(index, counts);
  }

  /**
   * Something was joined to these batches, changed or not: who wrote it first may have died before counting. Once this
   * resolves the receipts may be acknowledged.
   */
  async touch(lives: Iterable<string>, { late = false } = {}): Promise<void> {
    const unmarked: string[] = [];
    for (const life of lives) {
      const tally = this.#tallyOf(life);
      tally.touchedAt = this.#now();
      tally.dirty = true;
      tally.unsettled = true;
      tally.late ||= late;
      if (!tally.marked) unmarked.push(life);
    }
    const recounts = recountsOf(this.#deps.store.db);
    await Promise.all(
      unmarked.map(async (life) => {
        await recounts.updateOne(
          { _id: life },
          {
            $inc: { marks: 1 },
            $set: { dueSinceMs: Date.now() },
            $setOnInsert: { version: 0, writer: '', atMs: 0 },
          },
          { upsert: true },
        );
        this.#tallyOf(life).marked = true;
      }),
    );
  }

  #tallyOf(life: string): Tally {
    const tally = this.#tallies.get(life) ?? {
      byChunk: undefined,
      meanwhile: undefined,
      touchedAt: 0,
      notBefore: 0,
      dirty: false,
      unsettled: true,
      late: false,
      marked: false,
    };
    this.#tallies.set(life, tally);
    return tally;
  }

  /** Counts that are due and whose process is gone. */
  async adopt(): Promise<void> {
    const due = await recountsOf(this.#deps.store.db)
      .find({ dueSinceMs: { $lt: Date.now() - ABANDONED_MS } }, { projection: { _id: 1 } })
      .toArray();
    for (const { _id } of due) {
      const tally = this.#tallyOf(_id);
      tally.dirty = true;
      tally.late = true;
    }
  }

  loop(): Part {
    const { log } = this.#deps;
    let adoptedAt = Number.NEGATIVE_INFINITY;
    return loopPart(
      'recounts',
      async (signal) => {
        if (this.#now() - adoptedAt > ABANDONED_MS) {
          adoptedAt = this.#now();
          await this.adopt();
        }
        await this.round(signal);
      },
      { log, pauseMs: 200 },
    );
  }

  async round(signal?: AbortSignal): Promise<void> {
    const now = this.#now();
    for (const [life, tally] of this.#tallies) {
      if (signal?.aborted) return;
      const quiet = now - tally.touchedAt >= QUIET_MS;
      if (now < tally.notBefore || !(tally.dirty || (quiet && tally.unsettled))) {
        // The count stays in memory a while: receipts of a batch come for hours, a few at a time.
        if (now - tally.touchedAt > 600_000) this.#tallies.delete(life);
        continue;
      }
      await this.#publish(life, tally, quiet);
    }
  }

  /** Everything that is not published yet, at once: before the end of the process. */
  async flush(): Promise<void> {
    for (const [life, tally] of this.#tallies)
      if (tally.dirty || tally.unsettled) await this.#publish(life, tally, true);
  }

  async #publish(life: string, tally: Tally, quiet: boolean): Promise<void> {
    const startedAt = this.#now();
    const late = tally.late;
    tally.dirty = false;
    tally.late = false;
    if (quiet) tally.unsettled = false;
    try {
      await this.#count(life, tally, quiet || late);
    } catch (error) {
      tally.dirty = true;
      tally.unsettled = true;
      tally.late = late;
      throw error;
    } finally {
      const tookMs = this.#now() - startedAt;
      tally.notBefore = this.#now() + Math.max(EVERY_MS, tookMs / COUNTING_SHARE);
    }
  }

  async #count(life: string, tally: Tally, whole: boolean): Promise<void> {
    const { store, publisher, writer } = this.#deps;
    const recounts = recountsOf(store.db);
    const atMs = Date.now();
    const taken = await takeVersion(recounts, life, writer, atMs);
    if (!taken) {
      // The batch was deleted with all that belonged to it.
      this.#tallies.delete(life);
      return;
    }
    // What is joined from here on may not be in this count: it marks the batch anew.
    tally.marked = false;
    const { before, version } = taken;
    const alone = before.version === 0 || before.writer === writer;
    const [batchId, incarnation] = life.split('.') as [string, string];
    let account: Account | undefined;
    if (whole) account = await accountOf(store, { _id: batchId, incarnation });
    if (!tally.byChunk || !alone) await this.#read(life, tally);
    let receipts = noReceipts();
    for (const counts of tally.byChunk?.values() ?? []) receipts = addReceipts(receipts, counts);
    const counted = {
      receipts: account?.receipts ?? receipts,
      ...(account && account.total !== null
        ? { counts: account.counts, resolved: account.resolved }
        : before.resolved && { resolved: before.resolved }),
    };
    const body: EventBody<'recounted'> = {
      batchId,
      incarnation,
      at: new Date(atMs).toISOString(),
      version,
      ...counted,
    };
    await publisher.publish({
      stream: STREAMS.events,
      subject: eventSubject(batchId, 'recounted'),
      msgId: `${life}.r${version}`,
      body,
    });
    // For who rebuilds Redis; a later version's figures stay.
    const noMoreDue = await recounts.updateOne(
      { _id: life, version, marks: before.marks },
      { $set: counted, $unset: { dueSinceMs: '' } },
    );
    if (noMoreDue.matchedCount === 0) await recounts.updateOne({ _id: life, version }, { $set: counted });
  }

  async #read(life: string, tally: Tally): Promise<void> {
    tally.meanwhile = new Map();
    const byChunk = new Map<number, ReceiptCounts>();
    const found = this.#deps.store.receipts.find(
      { _id: idsUnder(life) },
      { projection: { index: 1, counts: 1 } },
    );
    for await (const { index, counts } of found) byChunk.set(index, counts);
    for (const [index, counts] of tally.meanwhile) byChunk.set(index, counts);
    tally.meanwhile = undefined;
    tally.byChunk = byChunk;
  }
}

/** The next version, for us alone. @returns the document as it was; undefined: it is gone (`touch` had made it) */
async function takeVersion(
  recounts: Collection<RecountDocument>,
  life: string,
  writer: string,
  atMs: number,
): Promise<{ before: RecountDocument; version: number } | undefined> {
  for (;;) {
    const before = await recounts.findOne({ _id: life });
    if (!before) return undefined;
    // The time at least: where the database was set back, above the versions of what it has forgotten.
    const version = Math.max(before.version + 1, atMs);
    // By _id and version in place of findAndModify: the embedded server walks the collection for that.
    const taken = await recounts.updateOne(
      { _id: life, version: before.version },
      { $set: { version, writer, atMs } },
    );
    if (taken.matchedCount === 1) return { before, version };
  }
}
