import type { Collection } from 'mongodb';
import type { OutcomeCounts } from '../../contracts/outcomes.ts';
import { backoffMs } from '../lifecycle/backoff.ts';
import { withTimeout } from '../lifecycle/deadline.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { isTransient } from '../mongo/errors.ts';
import type { TaskDocument } from '../store/task-document.ts';

/** An intent covers sending for this long from the moment it was first issued, on the monotonic clock. */
export const INTENT_VALID_MS = 400;

const SUMS_EVERY_MS = 1_000;

/** Everything the journal says of a task at one moment. */
export interface JournalEntry {
  cursor: number;
  authorisedTo: number;
  again: number[];
  facts: TaskDocument['facts'];
  /** These and what follows decide nothing: they are for people, and written once a second. */
  counts: OutcomeCounts;
  segments: number;
  resent: number;
  /** When a recipient's outcome last became known, ms since 1970: what the phase's deadline looks at. */
  progressAt: number;
}

export type IntentAnswer =
  /** What the entry authorises may be sent until `validUntilMs` (performance.now()). */
  | {
      kind: 'granted';
      validUntilMs: number;
      /** Of the document; `counts` stand in it under this version when `withSums`. */
      version: number;
      withSums: boolean;
      ratePerSecond: number | null;
    }
  /** Paused, aborted or expired: nothing more may be sent; drain, settle, answer `step-yielded`. */
  | { kind: 'hold' }
  /** Another holder has the task: stop without a word. */
  | { kind: 'lost' };

export interface Journal {
  /** Of the last intent that was issued; the version of progress events. */
  readonly version: number;
  /**
   * Writes down what is about to be sent. One on the way at a time. While MongoDB does not answer it is tried again; the
   * time for which it is valid has begun with the first try.
   * @throws when the signal aborts during an outage, and for errors that no repetition mends
   */
  intent(entry: JournalEntry): Promise<IntentAnswer>;
  /** The last entry, when everything is accounted. Also in a held task; false: it went to someone else. */
  close(entry: JournalEntry): Promise<boolean>;
}

export interface JournalOptions {
  signal: AbortSignal;
  /** Monotonic ms. */
  now?: () => number;
  /** One try; a later answer is found by reading back. */
  tryMs?: number;
}

/**
 * The journal of one task, for the holder with `task.ownerSeq` (design: "Tasks and the journal", 2).
 *
 * An intent that was given up may still reach the server, even behind its successor: each carries a version and takes
 * effect only over a lower one, so that it can never set the journal back.
 */
export function openJournal(
  tasks: Collection<TaskDocument>,
  task: Pick<TaskDocument, '_id' | 'ownerSeq' | 'progressVersion' | 'ratePerSecond'>,
  { signal, now = () => performance.now(), tryMs = 2_000 }: JournalOptions,
): Journal {
  let version = task.progressVersion;
  // A task that ends within a second tells its sums with its answer.
  let sumsWrittenAt = now();
  /** What the document holds for certain; undefined = not known. */
  let stored: { again: number; facts: number } | undefined;
  const ours = { _id: task._id, ownerSeq: task.ownerSeq };
  let rate = task.ratePerSecond;

  /** A try that failed may have succeeded: the journal itself tells which. */
  const readBack = () =>
    withTimeout(
      tasks.findOne(
        { _id: task._id },
        { projection: { ownerSeq: 1, run: 1, progressVersion: 1, ratePerSecond: 1 } },
      ),
      tryMs,
      'reading the journal',
    );

  async function repeated<T>(attempt: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        return await attempt();
      } catch (error) {
        const mayWorkLater = isTransient(error) || (error as Error).name === 'DeadlineError';
        if (!mayWorkLater || signal.aborted) throw error;
        await sleep(backoffMs(failures, { firstMs: 20, capMs: 1_000 }), signal);
      }
    }
  }

  async function intent(entry: JournalEntry): Promise<IntentAnswer> {
    const mine = ++version;
    const validUntilMs = now() + INTENT_VALID_MS;
    const granted = (): IntentAnswer => ({
      kind: 'granted',
      validUntilMs,
      version: mine,
      withSums,
      ratePerSecond: rate,
    });
    const withSums = now() - sumsWrittenAt >= SUMS_EVERY_MS;
    const change = { $set: { ...changesOf(entry, withSums, stored), progressVersion: mine } };
    stored = undefined;
    let first = true;
    return repeated(async () => {
      if (!first) {
        const found = await readBack();
        const answer = judge(found, task.ownerSeq, mine);
        if (answer === 'written') return granted();
        if (answer !== 'missing') return { kind: answer };
      }
      first = false;
      const filter = { ...ours, run: 'go' as const, out: true, progressVersion: { $lt: mine } };
      const [result, looked] = await Promise.all([
        withTimeout(tasks.updateOne(filter, change), tryMs, 'an intent'),
        // A new rate takes effect within a second: an update by `_id` says nothing of the document, and is far cheaper
        // on the embedded server than one that does.
        withSums ? readBack() : undefined,
      ]);
      if (looked) rate = looked.ratePerSecond;
      if (result.matchedCount === 1) {
        stored = { again: entry.again.length, facts: entry.facts.length };
        if (withSums) sumsWrittenAt = now();
        return granted();
      }
      const there = await readBack();
      const state = judge(there, task.ownerSeq, mine);
      // A try of ours whose answer was lost came in between.
      if (state === 'written') return granted();
      // Not out any more, and renewed only for another holder: nothing that we may use.
      return { kind: state === 'missing' ? 'lost' : state };
    });
  }

  async function close(entry: JournalEntry): Promise<boolean> {
    version += 1;
    const change = { $set: { ...entry, progressVersion: version } };
    return repeated(async () => {
      const result = await withTimeout(tasks.updateOne(ours, change), tryMs, 'closing the journal');
      return result.matchedCount === 1;
    });
  }

  return {
    get version() {
      return version;
    },
    intent,
    close,
  };
}

/** Fewer fields are cheaper for the server: what is as it was, and what nobody decides on, is left out. */
function changesOf(
  { cursor, authorisedTo, again, facts, ...sums }: JournalEntry,
  withSums: boolean,
  stored: { again: number; facts: number } | undefined,
): Partial<TaskDocument> {
  return {
    cursor,
    authorisedTo,
    ...(again.length === 0 && stored?.again === 0 ? {} : { again }),
    ...(facts.length === 0 && stored?.facts === 0 ? {} : { facts }),
    ...(withSums ? sums : {}),
  };
}

type Judgement = 'written' | 'missing' | 'hold' | 'lost';

function judge(
  found: Pick<TaskDocument, 'ownerSeq' | 'run' | 'progressVersion'> | null,
  ownerSeq: number,
  version: number,
): Judgement {
  if (!found || found.ownerSeq !== ownerSeq) return 'lost';
  if (found.run !== 'go') return 'hold';
  return found.progressVersion >= version ? 'written' : 'missing';
}
