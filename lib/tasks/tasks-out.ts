import { taskId } from '../../contracts/ids.ts';
import type { BatchDocument } from '../store/batch-document.ts';
import type { Store } from '../store/collections.ts';

export type WithTasksOut = Pick<BatchDocument, '_id' | 'incarnation' | 'work'>;

/** What has to be read of a batch to know its tasks. */
export const TASKS_OUT_FIELDS = { incarnation: 1, work: 1, version: 1 } as const;

/**
 * Ids of the tasks that are out. `tasks` has no index but `_id`: one more would double what each intent costs (measured),
 * and the batch knows its tasks.
 */
export const tasksOutOf = ({ _id, incarnation, work }: WithTasksOut): string[] =>
  work ? work.out.map((n) => taskId(_id, incarnation, work.step, n)) : [];

/** Batches that may have tasks out: those in a phase, being aborted, or being removed. */
export async function batchesAtWork(
  store: Pick<Store, 'batches'>,
  limit: number,
): Promise<(WithTasksOut & { version: number })[]> {
  const { batches } = store;
  const [working, removed] = await Promise.all([
    batches
      .find(
        { 'state.status': { $in: ['Running', 'Pausing', 'Aborting'] }, deletedAt: { $exists: false } },
        { projection: TASKS_OUT_FIELDS },
      )
      .limit(limit)
      .toArray(),
    batches
      .find({ removeAt: { $gt: new Date(0) } }, { projection: TASKS_OUT_FIELDS })
      .sort({ removeAt: -1 })
      .limit(limit)
      .toArray(),
  ]);
  return [...working, ...removed];
}
