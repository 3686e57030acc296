import type { Collection, Db } from 'mongodb';
import type { OutcomeCounts, ReceiptCounts, ResolvedCounts } from '../../contracts/outcomes.ts';
import type { IndexTable } from '../mongo/indexes.ts';
import { RECOUNTS } from '../store/own-collections.ts';

/** The last `recounted` event of one life of a batch: gives the next its version, and outlives Redis. `_id` = life id. */
export interface RecountDocument {
  _id: string;
  /** Taken before the documents are read: a later version has read everything that an earlier one may have seen. */
  version: number;
  /** Who took the version: two processes that write receipts of one batch notice each other. */
  writer: string;
  receipts?: ReceiptCounts;
  counts?: OutcomeCounts;
  resolved?: ResolvedCounts;
  atMs: number;
  /** Something was joined and not counted yet, since when (ms): set before its receipts are acknowledged. Absent = none. */
  dueSinceMs?: number;
  /** Grows with each mark: only a count that has seen the last one takes the mark away. */
  marks: number;
}

export const RECOUNT_INDEXES: IndexTable = {
  [RECOUNTS]: [{ name: 'due', key: { dueSinceMs: 1 }, options: { sparse: true } }],
};

export const recountsOf = (db: Db): Collection<RecountDocument> => db.collection(RECOUNTS);
