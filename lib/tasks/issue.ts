import type { AnyBulkWriteOperation, Collection } from 'mongodb';
import { taskId } from '../../contracts/ids.ts';
import { noOutcomes } from '../../contracts/outcomes.ts';
import type { StepTask } from '../../contracts/steps.ts';
import { isDuplicateKey } from '../mongo/errors.ts';
import type { TaskDocument } from '../store/task-document.ts';

/**
 * Makes the task documents, or renews them for a new epoch: cursor, facts and `ownerSeq` stay, so that the next holder
 * knows what the last one knew. Guarded by epoch: done twice, or late, it changes nothing.
 */
export async function issueTasks(
  tasks: Collection<TaskDocument>,
  messages: readonly StepTask[],
  ratePerSecond: number | null,
  atMs: number,
): Promise<void> {
  if (messages.length === 0) return;
  const operations = messages.map(
    (message): AnyBulkWriteOperation<TaskDocument> => ({
      updateOne: {
        filter: earlierEpoch(message),
        update: { ...renewal(message, ratePerSecond, atMs), $setOnInsert: neverHeld(message, atMs) },
        upsert: true,
      },
    }),
  );
  try {
    await tasks.bulkWrite(operations, { ordered: false });
  } catch (error) {
    // The upsert meets the document of this or a later epoch: it was issued before.
    if (!isDuplicateKey(error)) throw error;
  }
}

export const idOf = ({ batchId, incarnation, step, task }: StepTask): string =>
  taskId(batchId, incarnation, step, task);

export const earlierEpoch = (message: StepTask) => ({ _id: idOf(message), epoch: { $lt: message.epoch } });

/** What a new epoch changes. */
export const renewal = ({ epoch, config }: StepTask, ratePerSecond: number | null, atMs: number) => ({
  $set: { epoch, run: 'go' as const, out: true, done: false, config, ratePerSecond, progressAt: atMs },
  $unset: { result: '' as const, holder: '' as const },
});

/** The rest of a task document, as it is before anybody has held it. */
export const neverHeld = ({ batchId, incarnation, step, task: n }: StepTask, atMs: number) => ({
  batchId,
  incarnation,
  step,
  n,
  ownerSeq: 0,
  cursor: 0,
  authorisedTo: 0,
  again: [],
  facts: [],
  counts: noOutcomes(),
  segments: 0,
  resent: 0,
  progressVersion: 0,
  createdAt: atMs,
});

/**
 * Forbids further sending to the tasks of a batch that are out. Harmless when the actor's own write is lost: the next
 * epoch lifts it.
 */
export async function holdTasks(
  tasks: Collection<TaskDocument>,
  of: { batchId: string; incarnation: string; step: string; epoch: number; out: readonly number[] },
): Promise<void> {
  const ids = of.out.map((n) => taskId(of.batchId, of.incarnation, of.step, n));
  await tasks.updateMany({ _id: { $in: ids }, epoch: of.epoch, out: true }, { $set: { run: 'hold' } });
}

export async function changeRate(
  tasks: Collection<TaskDocument>,
  out: readonly string[],
  ratePerSecond: number | null,
): Promise<void> {
  await tasks.updateMany({ _id: { $in: [...out] }, out: true }, { $set: { ratePerSecond } });
}
