import { lifeId } from '../../contracts/ids.ts';
import type { StepTask } from '../../contracts/steps.ts';
import type { BatchDocument } from '../store/batch-document.ts';
import type { Store } from '../store/collections.ts';
import { insertNew } from '../store/insert-new.ts';
import { place, type TaskDocument } from '../store/task-document.ts';
import { chunkRangeOfTask } from '../tables/partition-layout.ts';
import { earlierEpoch, idOf, neverHeld, renewal } from './issue.ts';

/** Takes of one task between two versions of its batch: far fewer. */
const OWNERS_A_VERSION = 1_024;

type Issuer = Pick<BatchDocument, 'version' | 'updatedAt' | 'stopping' | 'definition'>;

/**
 * Hands out tasks that were out before. Where the document is gone (removed by hand, or by a restore of the database) one
 * is made that nobody who held the last one can write to, and that admits what it does not know: of a delivery, anything
 * without an outcome may have been sent.
 */
export async function reissueTasks(
  { tasks, partitions }: Pick<Store, 'tasks' | 'partitions'>,
  messages: readonly StepTask[],
  issuer: Issuer,
): Promise<void> {
  if (messages.length === 0) return;
  const ratePerSecond = issuer.definition.ratePerSecond ?? null;
  const renew = (message: StepTask) => renewal(message, ratePerSecond, issuer.updatedAt);
  await tasks.bulkWrite(
    messages.map((message) => ({
      updateOne: { filter: earlierEpoch(message), update: renew(message) },
    })),
    { ordered: false },
  );
  const ids = messages.map(idOf);
  const there = await tasks.find({ _id: { $in: ids } }, { projection: { _id: 1 } }).toArray();
  const known = new Set(there.map(({ _id }) => _id));
  const gone = messages.filter((message) => !known.has(idOf(message)));
  const made: TaskDocument[] = [];
  for (const message of gone) {
    made.push({
      ...neverHeld(message, issuer.updatedAt),
      ...renew(message).$set,
      _id: idOf(message),
      run: issuer.stopping ? 'hold' : 'go',
      ownerSeq: issuer.version * OWNERS_A_VERSION,
      // Above whatever version its figures had.
      progressVersion: issuer.updatedAt,
      ...(message.step === 'delivery' && (await allOfIt(partitions, message))),
    });
  }
  await insertNew(tasks, made);
}

/** The journal of a delivery of which nothing is known: all of it may be on the way. */
async function allOfIt(
  partitions: Store['partitions'],
  { batchId, incarnation, task }: StepTask,
): Promise<Pick<TaskDocument, 'cursor' | 'authorisedTo'>> {
  const partition = await partitions.findOne({ _id: lifeId(batchId, incarnation) });
  if (!partition) return { cursor: 0, authorisedTo: 0 };
  const { from, to } = chunkRangeOfTask(partition, task);
  return { cursor: place(from, 0), authorisedTo: place(to, 0) };
}
