import type { AnyBulkWriteOperation, Collection } from 'mongodb';
import type { OutcomeCounts } from '../../contracts/outcomes.ts';
import { backoffMs } from '../lifecycle/backoff.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { isTransient } from '../mongo/errors.ts';
import type { OutcomeColumns, OutcomeDocument } from '../store/chunk-documents.ts';

/** One chunk's outcomes as they are to be stored. */
export interface OutcomeWrite {
  /** As it was read: what is not changed here stays. */
  document: OutcomeDocument;
  columns: OutcomeColumns;
  counts: OutcomeCounts;
  segments: number;
  resent: number;
  provider: string;
  sentFromMs: number;
  sentToMs: number;
}

export interface OutcomeWriter {
  /** False: another holder has raised `ownerSeq` on one of them. Retries while MongoDB does not answer. */
  write(writes: readonly OutcomeWrite[]): Promise<boolean>;
}

/** Revisions of one owner stay below those of the next. */
const REVISIONS_AN_OWNER = 2 ** 24;

/**
 * Stores chunks' outcomes, filtered on `ownerSeq` (design: "Tasks and the journal", 4). A write is the whole state of
 * its chunk, so it may be repeated; a revision keeps one that was given up from undoing a later one.
 */
export function outcomeWriter(
  outcomes: Collection<OutcomeDocument>,
  ownerSeq: number,
  signal: AbortSignal,
): OutcomeWriter {
  let revision = ownerSeq * REVISIONS_AN_OWNER;

  async function write(writes: readonly OutcomeWrite[]): Promise<boolean> {
    if (writes.length === 0) return true;
    revision += 1;
    const mine = revision;
    const operations = writes.map((each): AnyBulkWriteOperation<OutcomeDocument> => {
      // `$not`: an outcome document that was never sent from has no revision yet.
      const filter = {
        _id: each.document._id,
        ownerSeq: { $lte: ownerSeq },
        revision: { $not: { $gte: mine } },
      };
      // Replaced, not updated: a third cheaper for the server than seventeen fields set one by one.
      return { replaceOne: { filter, replacement: replacementOf(each, ownerSeq, mine) } };
    });
    for (let failures = 1; ; failures++) {
      try {
        const result = await outcomes.bulkWrite(operations, { ordered: false });
        if (result.matchedCount === writes.length) return true;
        return await allOurs(writes, mine);
      } catch (error) {
        if (!isTransient(error) || signal.aborted) throw error;
        await sleep(backoffMs(failures, { firstMs: 20, capMs: 1_000 }), signal);
      }
    }
  }

  /** What did not match may be our own earlier try. */
  async function allOurs(writes: readonly OutcomeWrite[], mine: number): Promise<boolean> {
    const ids = writes.map((each) => each.document._id);
    const stored = await outcomes.countDocuments({ _id: { $in: ids }, ownerSeq, revision: { $gte: mine } });
    return stored === writes.length;
  }

  return { write };
}

function replacementOf(each: OutcomeWrite, ownerSeq: number, revision: number): OutcomeDocument {
  const { document, columns, counts, segments, resent, provider, sentFromMs, sentToMs } = each;
  const sent = sentToMs > 0 ? { provider, sentFromMs, sentToMs } : {};
  return {
    ...document,
    ...columns,
    counts,
    segments,
    resent,
    ...sent,
    ownerSeq,
    revision,
    updatedAtMs: Date.now(),
  };
}
