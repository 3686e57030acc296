import type { IndexTable } from '../mongo/indexes.ts';

/** Indexes of the tables' collections. Manifests and chunks go by `_id`. */
export const TABLE_INDEXES: IndexTable = {
  imports: [
    { name: 'table', key: { table: 1, startedAt: -1 } },
    { name: 'expires', key: { expiresAt: 1 }, options: { expireAfterSeconds: 0 } },
  ],
  partitions: [{ name: 'table', key: { table: 1, generation: 1 } }],
};
