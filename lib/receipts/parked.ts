import type { Collection, Db } from 'mongodb';
import type { DeliveryReceipt } from '../../contracts/receipts.ts';
import { isDuplicateKey } from '../mongo/errors.ts';
import type { IndexTable } from '../mongo/indexes.ts';
import { PARKED_RECEIPTS } from '../store/own-collections.ts';

/** Carriers send receipts for three days at most; what has found no message by then is let go. */
export const PARKED_HOURS = 72;

/** A receipt whose message is not known (yet): too early, or of a message that is not ours. */
export interface ParkedReceipt {
  /** Made of what it says, so that a doubled receipt is parked once. */
  _id: string;
  provider: string;
  receipt: DeliveryReceipt;
  /** A date, for the TTL index. */
  parkedAt: Date;
  attempts: number;
  /** ms since 1970. */
  nextTryAtMs: number;
}

export const PARKED_INDEXES: IndexTable = {
  [PARKED_RECEIPTS]: [
    { name: 'due', key: { nextTryAtMs: 1 } },
    { name: 'number', key: { 'receipt.msisdn': 1 } },
    { name: 'oldest', key: { parkedAt: 1 }, options: { expireAfterSeconds: PARKED_HOURS * 3_600 } },
  ],
};

export const parkedReceipts = (db: Db): Collection<ParkedReceipt> => db.collection(PARKED_RECEIPTS);

const FIRST_TRY_MS = 500;
const LONGEST_WAIT_MS = 10 * 60_000;
const RECEIPTS_A_WRITE = 1_000;

const parkedId = (provider: string, { msisdn, messageId, state }: DeliveryReceipt): string =>
  `${provider} ${msisdn} ${messageId} ${state}`;

/** Keeps receipts until their messages are known. One that is parked already stays as it is. */
export async function park(
  db: Db,
  receipts: readonly { provider: string; receipt: DeliveryReceipt }[],
  nowMs: number,
): Promise<void> {
  const documents = new Map<string, ParkedReceipt>();
  for (const { provider, receipt } of receipts) {
    const _id = parkedId(provider, receipt);
    const parkedAt = new Date(nowMs);
    documents.set(_id, { _id, provider, receipt, parkedAt, attempts: 0, nextTryAtMs: nowMs + FIRST_TRY_MS });
  }
  const all = [...documents.values()];
  for (let at = 0; at < all.length; at += RECEIPTS_A_WRITE) {
    try {
      await parkedReceipts(db).insertMany(all.slice(at, at + RECEIPTS_A_WRITE), { ordered: false });
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
    }
  }
}

/** Those whose next try is due, the longest waiting first. */
export const dueParked = (db: Db, nowMs: number, limit: number): Promise<ParkedReceipt[]> =>
  parkedReceipts(db)
    .find({ nextTryAtMs: { $lte: nowMs } }, { batchSize: limit })
    .sort({ nextTryAtMs: 1 })
    .limit(limit)
    .toArray();

/** All that are parked for some numbers. */
export const parkedOf = (db: Db, msisdns: readonly string[]): Promise<ParkedReceipt[]> =>
  parkedReceipts(db)
    .find({ 'receipt.msisdn': { $in: [...new Set(msisdns)] } })
    .toArray();

/** Which of these numbers receipts of an account are parked for; their messages are looked for at once. */
export async function hurryParked(
  db: Db,
  provider: string,
  msisdns: readonly string[],
  nowMs: number,
): Promise<Set<string>> {
  // As carriers may write them.
  const written = new Map(
    msisdns.flatMap((each) => [each, `+${each}`, `00${each}`].map((form) => [form, each])),
  );
  const parked = await parkedReceipts(db)
    .find(
      { 'receipt.msisdn': { $in: [...written.keys()] }, provider },
      { projection: { 'receipt.msisdn': 1 } },
    )
    .toArray();
  if (parked.length > 0) {
    await parkedReceipts(db).updateMany(
      { _id: { $in: parked.map(({ _id }) => _id) } },
      { $set: { nextTryAtMs: nowMs } },
    );
  }
  return new Set(parked.map(({ receipt }) => written.get(receipt.msisdn)!));
}

/** Puts the next try off, longer each time; done before the try, so that another process does not make the same. */
export async function postpone(db: Db, parked: readonly ParkedReceipt[], nowMs: number): Promise<void> {
  const byAttempts = new Map<number, string[]>();
  for (const { _id, attempts } of parked) {
    const ids = byAttempts.get(attempts);
    if (ids) ids.push(_id);
    else byAttempts.set(attempts, [_id]);
  }
  for (const [attempts, ids] of byAttempts) {
    const waitMs = Math.min(LONGEST_WAIT_MS, 1_000 * 2 ** Math.min(attempts, 20));
    await parkedReceipts(db).updateMany(
      { _id: { $in: ids } },
      { $inc: { attempts: 1 }, $set: { nextTryAtMs: nowMs + waitMs } },
    );
  }
}

/** They have found their messages. */
export async function unpark(db: Db, ids: readonly string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += RECEIPTS_A_WRITE) {
    await parkedReceipts(db).deleteMany({ _id: { $in: ids.slice(at, at + RECEIPTS_A_WRITE) } });
  }
}

export interface OrphanQuery {
  provider?: string | undefined;
  /** Parked before this moment, ms since 1970: the younger ones may only be early. */
  parkedBeforeMs: number;
  limit: number;
  /** `nextCursor` of the page before. */
  cursor?: string | undefined;
}

/** Receipts that have found no message for a while, by their id. */
export async function listOrphans(
  db: Db,
  { provider, parkedBeforeMs, limit, cursor }: OrphanQuery,
): Promise<{ orphans: ParkedReceipt[]; nextCursor?: string }> {
  const found = await parkedReceipts(db)
    .find({
      parkedAt: { $lt: new Date(parkedBeforeMs) },
      ...(provider !== undefined && { provider }),
      ...(cursor !== undefined && { _id: { $gt: cursor } }),
    })
    .sort({ _id: 1 })
    .limit(limit + 1)
    .toArray();
  const orphans = found.slice(0, limit);
  return found.length > limit ? { orphans, nextCursor: orphans.at(-1)!._id } : { orphans };
}
