import { chunkId, taskId } from '../../../contracts/ids.ts';
import { OUTCOME_LETTERS } from '../../../contracts/outcomes.ts';
import type { OutcomeDocument } from '../../../lib/store/chunk-documents.ts';
import type { Store } from '../../../lib/store/collections.ts';

const CHUNKS_A_WRITE = 100;
const { pending: PENDING, expired: EXPIRED } = OUTCOME_LETTERS;

export interface DeliveryTask {
  n: number;
  /** Chunks `from` to `to`, without `to`. */
  from: number;
  to: number;
}

/**
 * Nothing will be sent any more: what is pending in the chunks of a delivery task becomes `expired`. It takes the task over
 * first, and raises the fence on its documents before it reads them, so that a sender that was frozen can write no more.
 * Harmless when done twice.
 * @returns recipients that expired now
 */
export async function expirePending(
  store: Pick<Store, 'tasks' | 'outcomes'>,
  { batchId, incarnation }: { batchId: string; incarnation: string },
  task: DeliveryTask,
  holder: string,
): Promise<number> {
  const _id = taskId(batchId, incarnation, 'delivery', task.n);
  await store.tasks.updateOne({ _id }, { $inc: { ownerSeq: 1 }, $set: { holder } });
  const taken = await store.tasks.findOne({ _id }, { projection: { ownerSeq: 1 } });
  // Never handed out: its documents have the fence of `preparation`, 0.
  const ownerSeq = taken?.ownerSeq ?? 1;
  let expired = 0;
  for (let from = task.from; from < task.to; from += CHUNKS_A_WRITE) {
    const length = Math.min(CHUNKS_A_WRITE, task.to - from);
    const ids = Array.from({ length }, (_, i) => chunkId(batchId, incarnation, from + i));
    await store.outcomes.updateMany(
      { _id: { $in: ids }, ownerSeq: { $lt: ownerSeq } },
      { $set: { ownerSeq } },
    );
    const open = await store.outcomes
      .find({ _id: { $in: ids }, ownerSeq, 'counts.pending': { $gt: 0 } }, { batchSize: CHUNKS_A_WRITE })
      .toArray();
    if (open.length === 0) continue;
    await store.outcomes.bulkWrite(
      open.map((document) => ({
        updateOne: { filter: { _id: document._id, ownerSeq }, update: { $set: expiredColumns(document) } },
      })),
      { ordered: false },
    );
    expired += open.reduce((sum, { counts }) => sum + counts.pending, 0);
  }
  return expired;
}

export function expiredColumns({ statuses, counts }: Pick<OutcomeDocument, 'statuses' | 'counts'>) {
  return {
    statuses: statuses.replaceAll(PENDING, EXPIRED),
    counts: { ...counts, pending: 0, expired: counts.expired + counts.pending },
    waiting: [],
    updatedAtMs: Date.now(),
  };
}
