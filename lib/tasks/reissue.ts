import { lifeId } from '../../contracts/ids.ts';
import type { StepTask } from '../../contracts/steps.ts';
import type { BatchDocument } from '../store/batch-document.ts';
import type { Store } from '../store/collections.ts';
import { insertNew } from '../store/insert-new.ts';
import type { PartitionDocument } from '../store/partition-document.ts';
import { place, type TaskDocument } from '../store/task-document.ts';
import { chunkRangeOfTask } from '../tables/partition-layout.ts';
import { earlierEpoch, idOf, neverHeld, renewal } from './issue.ts';

const OWNERS_COUNT_FROM_MS = Date.UTC(2026, 0, 1);

/**
 * Of a task whose last owners are not known: higher than any of theirs, since a task is taken less often than once a second.
 * In seconds, since the revisions of outcomes are multiples of it.
 */
const ownerAt = (atMs: number): number => Math.max(1, Math.floor((atMs - OWNERS_COUNT_FROM_MS) / 1000));

type Issuer = Pick<BatchDocument, 'updatedAt' | 'createdAt' | 'stopping' | 'restored' | 'definition'>;

/**
 * Hands out tasks that were out before. Where the document is gone (removed by hand, or by a restore of the database) one
 * is made that nobody who held the last one can write to, and that admits what it does not know: of a delivery, anything
 * without an outcome may have been sent. The same of every delivery once the database was set back.
 */
export async function reissueTasks(
  { tasks, partitions }: Pick<Store, 'tasks' | 'partitions'>,
  messages: readonly StepTask[],
  issuer: Issuer,
): Promise<void> {
  const [first] = messages;
  if (!first) return;
  const ratePerSecond = issuer.definition.ratePerSecond ?? null;
  const owner = ownerAt(issuer.updatedAt);
  const life = lifeId(first.batchId, first.incarnation);
  const delivers = messages.some(({ step }) => step === 'delivery');
  const partition = delivers ? await partitions.findOne({ _id: life }) : null;
  const renew = (message: StepTask) => {
    const { $set, $unset } = renewal(message, ratePerSecond, issuer.updatedAt);
    const run = issuer.stopping ? ('hold' as const) : ('go' as const);
    if (!issuer.restored) return { $set: { ...$set, run }, $unset };
    // Above whatever owners and figures it had after the copy.
    const $max = { ownerSeq: owner, progressVersion: issuer.updatedAt };
    if (message.step !== 'delivery') return { $set: { ...$set, run }, $unset, $max };
    const doubt = { ...allOfIt(partition, message), again: [], restoredFrom: issuer.createdAt };
    return { $set: { ...$set, run, ...doubt }, $unset, $max };
  };
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
  const made = gone.map(
    (message): TaskDocument => ({
      ...neverHeld(message, issuer.updatedAt),
      ...(message.step === 'delivery' && allOfIt(partition, message)),
      ...renew(message).$set,
      _id: idOf(message),
      ownerSeq: owner,
      // Above whatever version its figures had.
      progressVersion: issuer.updatedAt,
    }),
  );
  await insertNew(tasks, made);
}

/** The journal of a delivery of which nothing is known: all of it may be on the way. */
function allOfIt(
  partition: PartitionDocument | null,
  { task }: StepTask,
): Pick<TaskDocument, 'cursor' | 'authorisedTo'> {
  if (!partition) return { cursor: 0, authorisedTo: 0 };
  const { from, to } = chunkRangeOfTask(partition, task);
  return { cursor: place(from, 0), authorisedTo: place(to, 0) };
}
