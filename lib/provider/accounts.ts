import type { Db } from 'mongodb';
import { PROVIDER_ACCOUNTS } from '../store/own-collections.ts';

/** What everybody may know of a provider account: no secrets. `validate` and `provider.list` read it. */
export interface ProviderAccountDocument {
  /** What batches call it in `providers`. */
  _id: string;
  kind: string;
  /** Segments a second of the contract; null = no limit known. */
  tps: number | null;
  /** Unanswered messages a process. */
  window: number;
  updatedAt: number;
}

export const providerAccounts = (db: Db) => db.collection<ProviderAccountDocument>(PROVIDER_ACCOUNTS);

/** Tells what is configured here; each host with the same configuration may do it at start. */
export async function upsertAccounts(
  db: Db,
  accounts: readonly Omit<ProviderAccountDocument, 'updatedAt'>[],
  nowMs: number,
): Promise<void> {
  for (const { _id, ...fields } of accounts) {
    await providerAccounts(db).updateOne(
      { _id },
      { $set: { ...fields, updatedAt: nowMs } },
      { upsert: true },
    );
  }
}

export async function listAccounts(db: Db): Promise<ProviderAccountDocument[]> {
  return providerAccounts(db)
    .find({}, { sort: { _id: 1 } })
    .toArray();
}
