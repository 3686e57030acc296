import type { Store } from './collections.ts';

/** Beside those of {@link Store}. */
export const STEP_TYPES = 'step_types';
export const PROVIDER_ACCOUNTS = 'provider_accounts';
export const PARKED_RECEIPTS = 'parked_receipts';
export const RECOUNTS = 'recounts';
export const SCHEDULES = 'schedules';
export const RESTORES = 'restores';

/** Names of the engine's own collections: nobody's recipients. */
export function ownCollections({ db: _db, ...collections }: Store): Set<string> {
  const names = Object.values(collections).map(({ collectionName }) => collectionName);
  return new Set([...names, STEP_TYPES, PROVIDER_ACCOUNTS, PARKED_RECEIPTS, RECOUNTS, SCHEDULES, RESTORES]);
}
