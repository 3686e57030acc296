import type { Db } from 'mongodb';
import { RESTORES } from './own-collections.ts';

interface RestoreDocument {
  _id: 'last';
  /** ms since 1970 at which it was told. */
  atMs: number;
}

const restores = (db: Db) => db.collection<RestoreDocument>(RESTORES);

/** An operator has set the database back, and told so: what was done between its copy and now is not in it. */
export async function noteRestore(db: Db, atMs: number): Promise<void> {
  await restores(db).updateOne({ _id: 'last' }, { $max: { atMs } }, { upsert: true });
}

/** When that was last, ms since 1970; 0: never. */
export const lastRestore = async (db: Db): Promise<number> =>
  (await restores(db).findOne({ _id: 'last' }))?.atMs ?? 0;
