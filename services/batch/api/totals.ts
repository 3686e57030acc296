import type { Filter } from 'mongodb';
import type { Static } from 'typebox';
import type { BatchTotals } from '../../../contracts/batch-answers.ts';
import type { BATCH_API } from '../../../contracts/batch-api.ts';
import { phaseName } from '../../../contracts/states.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { batchesAtWork, tasksOutOf } from '../../../lib/tasks/tasks-out.ts';

const SHOWN_TASKS = 200;

/** Batches by state and owner, and who holds which task since when. */
export async function totals(store: Store, query: Static<typeof BATCH_API.totals>): Promise<BatchTotals> {
  const { userID, scope, createdFrom, createdTo } = query;
  const filter: Filter<BatchDocument> = {
    deletedAt: { $exists: false },
    ...(userID !== undefined && { 'definition.userID': userID }),
    ...(scope !== undefined && { 'definition.scope': scope }),
    ...((createdFrom !== undefined || createdTo !== undefined) && {
      createdAt: {
        ...(createdFrom !== undefined && { $gte: Date.parse(createdFrom) }),
        ...(createdTo !== undefined && { $lt: Date.parse(createdTo) }),
      },
    }),
  };
  const groups = store.batches.aggregate<{
    _id: { phase: string | null; status: string; userID?: string };
    batches: number;
    recipients: number;
  }>([
    { $match: filter },
    {
      $group: {
        _id: { phase: '$state.phase', status: '$state.status', userID: '$definition.userID' },
        batches: { $sum: 1 },
        recipients: { $sum: '$size.total' },
      },
    },
  ]);
  const atWork = await batchesAtWork(store, SHOWN_TASKS);
  const out = atWork.flatMap(tasksOutOf).slice(0, SHOWN_TASKS);
  const [rows, tasks] = await Promise.all([
    groups.toArray(),
    store.tasks
      .find(
        { _id: { $in: out }, out: true },
        { projection: { batchId: 1, step: 1, n: 1, holder: 1, run: 1, progressAt: 1, createdAt: 1 } },
      )
      .toArray(),
  ]);
  return {
    byState: rows.map(({ _id, batches, recipients }) => ({
      state: _id.phase === null ? _id.status : `${phaseName(_id.phase)}${_id.status}`,
      userID: _id.userID ?? null,
      batches,
      recipients,
    })),
    tasksOut: tasks.map(({ batchId, step, n, holder, run, progressAt, createdAt }) => ({
      batchId,
      step,
      task: n,
      holder: holder ?? null,
      run,
      since: new Date(createdAt).toISOString(),
      progressAt: new Date(progressAt).toISOString(),
    })),
  };
}
