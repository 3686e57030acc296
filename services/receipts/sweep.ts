import { dueParked, type ParkedReceipt, postpone, unpark } from '../../lib/receipts/parked.ts';
import type { Store } from '../../lib/store/collections.ts';
import { JoinItem } from './join-item.ts';
import { type Joining, JoinRound } from './join-round.ts';
import { matchByIdInStore } from './match-by-id.ts';
import type { ReceiptMetrics } from './metrics.ts';
import type { Recounts } from './recounts.ts';
import { resolveUnknown } from './resolve-unknown.ts';

const RECEIPTS_A_SWEEP = 2_000;

export interface SweepOptions {
  joining: Joining;
  store: Store;
  recounts: Recounts;
  metrics: ReceiptMetrics;
  /** Rounds change chunks in memory: never two at once. */
  exclusively: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * Looks for the messages of parked receipts that are due, in all batches of their account. Put off before they are tried:
 * a crash in between costs a wait, and another process does not do the same work.
 * @returns how many were tried
 */
export async function sweepParked(options: SweepOptions): Promise<number> {
  const { store, joining, exclusively } = options;
  const due = await dueParked(store.db, Date.now(), RECEIPTS_A_SWEEP);
  if (due.length === 0) return 0;
  await postpone(store.db, due, Date.now());
  await joining.directory.refresh();
  await exclusively(() => tryAgain(options, due));
  return due.length;
}

async function tryAgain({ joining, store, recounts, metrics }: SweepOptions, due: readonly ParkedReceipt[]) {
  const nowMs = performance.now();
  const items = due.map((parked) => new JoinItem(parked.receipt, parked.provider, parked, nowMs));
  const round = new JoinRound(joining, { deep: true, maxBucketReads: Number.POSITIVE_INFINITY });
  try {
    await round.match(items.filter((item) => item.hasNumber));
    // Their ids may still be on the way: who has only just been parked is looked for among the known ids alone.
    await resolveUnknown(
      round,
      joining,
      items.filter((item) => (item.source as ParkedReceipt).attempts > 0),
    );
    await matchByIdInStore(
      round,
      joining,
      store,
      items.filter((item) => !item.hasNumber),
    );
    await round.store((chunk, counts) => recounts.written(chunk, counts));
  } catch (error) {
    round.forget();
    throw error;
  }
  for (const life of round.lives) recounts.touch(life, { late: round.movedOutcomes });
  const joined = items.filter((item) => item.joined);
  metrics.rejoined.inc(joined.length);
  await unpark(
    store.db,
    joined.map((item) => (item.source as ParkedReceipt)._id),
  );
}
