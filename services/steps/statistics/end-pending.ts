import { chunkId, taskId } from '../../../contracts/ids.ts';
import { OUTCOME_LETTERS } from '../../../contracts/outcomes.ts';
import { IN_DOUBT_CODE, RESTORED_CODE } from '../../../lib/journal/resolve-in-doubt.ts';
import type { OutcomeDocument } from '../../../lib/store/chunk-documents.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { joinColumn, splitColumn } from '../../../lib/store/columns.ts';
import { countStatuses } from '../../../lib/store/outcome-columns.ts';

const CHUNKS_A_WRITE = 100;
const { pending: PENDING, expired: EXPIRED, unknown: UNKNOWN } = OUTCOME_LETTERS;

export interface DeliveryTask {
  n: number;
  /** Chunks `from` to `to`, without `to`. */
  from: number;
  to: number;
}

/**
 * Nothing will be sent any more: of what is pending in the chunks of a delivery task, the messages that were to be sent again
 * because their answer was lost are `unknown` (the carrier may have them), and the rest is `expired`, or stays pending after
 * an abort; where MongoDB was set back all of it is `unknown`. It takes the task over first, and raises the fence on its documents before it reads them, so that a sender that
 * was frozen can write no more. Harmless when done twice.
 */
export async function endPending(
  store: Pick<Store, 'tasks' | 'outcomes'>,
  { batchId, incarnation }: { batchId: string; incarnation: string },
  task: DeliveryTask,
  { holder, expire, restored }: { holder: string; expire: boolean; restored: boolean },
): Promise<void> {
  if (!expire && !restored && !(await hasDoubtful(store, { batchId, incarnation }, task))) return;
  const _id = taskId(batchId, incarnation, 'delivery', task.n);
  await store.tasks.updateOne({ _id }, { $inc: { ownerSeq: 1 }, $set: { holder } });
  const taken = await store.tasks.findOne({ _id }, { projection: { ownerSeq: 1 } });
  // Never handed out: its documents have the fence of `preparation`, 0.
  const ownerSeq = taken?.ownerSeq ?? 1;
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
        updateOne: {
          filter: { _id: document._id, ownerSeq },
          update: { $set: restored ? restoredColumns(document) : endedColumns(document, expire) },
        },
      })),
      { ordered: false },
    );
  }
}

/** Whether anything waits to be sent again: after most aborts nothing has to be written. */
async function hasDoubtful(
  { outcomes }: Pick<Store, 'outcomes'>,
  { batchId, incarnation }: { batchId: string; incarnation: string },
  { from, to }: DeliveryTask,
): Promise<boolean> {
  const ids = Array.from({ length: to - from }, (_, i) => chunkId(batchId, incarnation, from + i));
  const found = await outcomes.findOne(
    { _id: { $in: ids }, 'waiting.0': { $exists: true } },
    { projection: { _id: 1 } },
  );
  return found !== null;
}

function endedColumns({ statuses, codes, size, waiting }: OutcomeDocument, expire: boolean) {
  const reasons = splitColumn(codes, size);
  const letters = [...statuses];
  const doubtful = new Set(
    waiting
      .map(({ position }) => position)
      .filter((position) => letters[position] === PENDING && reasons[position] === IN_DOUBT_CODE),
  );
  for (const position of doubtful) letters[position] = UNKNOWN;
  const ended = expire ? letters.join('').replaceAll(PENDING, EXPIRED) : letters.join('');
  return {
    statuses: ended,
    counts: countStatuses(ended),
    waiting: expire ? [] : waiting.filter(({ position }) => !doubtful.has(position)),
    updatedAtMs: Date.now(),
  };
}

function restoredColumns({ statuses, codes, size }: OutcomeDocument) {
  const reasons = splitColumn(codes, size).map((reason, position) =>
    statuses[position] === PENDING ? RESTORED_CODE : reason,
  );
  const ended = statuses.replaceAll(PENDING, UNKNOWN);
  return {
    statuses: ended,
    codes: joinColumn(reasons),
    counts: countStatuses(ended),
    waiting: [],
    updatedAtMs: Date.now(),
  };
}
