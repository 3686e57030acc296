import type { DeliveryReceipt } from '../../contracts/receipts.ts';
import { dueParked, type ParkedReceipt, parkedOf, postpone, unpark } from '../../lib/receipts/parked.ts';
import type { Store } from '../../lib/store/collections.ts';
import { itemOf, type JoinItem, type ReceiptSource } from './join-item.ts';
import { type Joining, JoinRound } from './join-round.ts';
import { matchByIdInStore } from './match-by-id.ts';
import type { ReceiptMetrics } from './metrics.ts';
import type { Recounts } from './recounts.ts';
import { resolveInDoubt } from './resolve-in-doubt.ts';

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
  const items = due.map(parkedItem);
  const round = new JoinRound(joining, { deep: true, maxBucketReads: Number.POSITIVE_INFINITY });
  try {
    await round.match(items.filter((item) => item.hasNumber));
    items.push(...(await matchSiblings(round, store, items)));
    // Their ids may still be on the way: who has only just been parked is looked for among the known ids alone.
    const resolved = await resolveInDoubt(
      round,
      joining,
      store,
      items.filter((item) => parkedBehind(item).attempts > 0),
    );
    metrics.inDoubtResolved.inc(resolved);
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
  await recounts.touch(round.lives, { late: round.movedOutcomes });
  const joined = items.filter((item) => item.joined);
  metrics.rejoined.inc(joined.length);
  await unpark(
    store.db,
    joined.map((item) => parkedBehind(item)._id),
  );
}

class ParkedSource implements ReceiptSource {
  readonly parked: ParkedReceipt;
  readonly provider: string;
  readonly sinceMs = performance.now();
  readonly atMs: number;

  constructor(parked: ParkedReceipt) {
    this.parked = parked;
    this.provider = parked.provider;
    this.atMs = parked.receipt.atMs;
  }

  receiptAt(): DeliveryReceipt {
    return this.parked.receipt;
  }
}

const parkedItem = (parked: ParkedReceipt): JoinItem => itemOf(parked.receipt, 0, new ParkedSource(parked));

const parkedBehind = (item: JoinItem): ParkedReceipt => (item.source as ParkedSource).parked;

/** Parts of one message are due at different times, but tell only together that all of it was accepted. */
async function matchSiblings(
  round: JoinRound,
  store: Store,
  items: readonly JoinItem[],
): Promise<JoinItem[]> {
  const long = items.filter((item) => !item.joined && item.awaiting?.some(({ parts }) => parts > 1));
  if (long.length === 0) return [];
  const known = new Set(items.map((item) => parkedBehind(item)._id));
  const parked = await parkedOf(
    store.db,
    long.map((item) => item.text.msisdn),
  );
  const siblings = parked.filter(({ _id }) => !known.has(_id)).map(parkedItem);
  await round.match(siblings);
  return siblings;
}
