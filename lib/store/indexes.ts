import type { IndexTable } from '../mongo/indexes.ts';

/** Indexes of the collections that several services read. Everything else goes by `_id`. */
export const STORE_INDEXES: IndexTable = {
  batches: [
    { name: 'newest', key: { createdAt: -1, _id: 1 } },
    { name: 'state', key: { 'state.status': 1, 'state.phase': 1, createdAt: -1 } },
    { name: 'owner', key: { 'definition.userID': 1, createdAt: -1 } },
    { name: 'scope', key: { 'definition.scope': 1, createdAt: -1 } },
    { name: 'campaign', key: { 'definition.campaignID': 1, createdAt: -1 } },
    { name: 'name', key: { 'definition.name': 1, createdAt: -1 } },
    { name: 'wake', key: { wakeAt: 1 }, options: { sparse: true } },
    { name: 'unpublished', key: { unpublished: 1, updatedAt: 1 } },
    { name: 'parent', key: { 'parent.batchId': 1 }, options: { sparse: true } },
    { name: 'tombstones', key: { removeAt: 1 }, options: { expireAfterSeconds: 0 } },
  ],
  tasks: [
    { name: 'batch', key: { batchId: 1, incarnation: 1, epoch: 1 } },
    { name: 'out', key: { out: 1, progressAt: 1 } },
  ],
};
