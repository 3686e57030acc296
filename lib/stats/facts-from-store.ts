import { lifeId } from '../../contracts/ids.ts';
import { isFinal, stateName } from '../../contracts/states.ts';
import { recountsOf } from '../receipts/recount-document.ts';
import type { BatchDocument } from '../store/batch-document.ts';
import type { Store } from '../store/collections.ts';
import type { TaskDocument } from '../store/task-document.ts';
import { idsUnder } from '../tables/chunk-ranges.ts';
import {
  dealtWith,
  type ProgressBody,
  type RecountedBody,
  type StatsUpdate,
  type TaskProgressBody,
} from './hash.ts';
import { countsOf, type StatusFacts } from './status.ts';

type StatsStore = Pick<Store, 'db' | 'tasks'>;

/** The batch's `progress` event as its document says it. */
export function progressOf(batch: BatchDocument): ProgressBody {
  const { work } = batch;
  const out = work ? [...work.out, ...work.yielded].sort((a, b) => a - b) : [];
  return {
    batchId: batch._id,
    incarnation: batch.incarnation,
    at: new Date(batch.updatedAt).toISOString(),
    version: batch.version,
    state: stateName(batch.state),
    phase: work && !isFinal(batch.state) ? work.step : batch.state.phase,
    total: batch.size?.total ?? null,
    done: Object.fromEntries(Object.entries(batch.totals).map(([step, { counts }]) => [step, counts])),
    tasks: { count: work?.count ?? 0, done: work ? work.next - out.length : 0, out },
    segments: batch.totals.delivery?.segments ?? 0,
    ...(batch.totals.delivery?.resent && { resent: batch.totals.delivery.resent }),
  };
}

/** The `task-progress` of the tasks that are out, as their documents say it. */
async function tasksOutOf(
  store: StatsStore,
  batch: BatchDocument,
  progress: ProgressBody,
): Promise<{ bodies: TaskProgressBody[]; createdAtMs: number }> {
  const step = progress.phase;
  if (step === null || progress.tasks.out.length === 0) return { bodies: [], createdAtMs: 0 };
  const out = new Set(progress.tasks.out);
  const tasks = (await store.tasks
    .find(
      { _id: idsUnder(`${lifeId(batch._id, batch.incarnation)}.${step}`), done: false },
      {
        projection: {
          n: 1,
          epoch: 1,
          progressVersion: 1,
          counts: 1,
          segments: 1,
          resent: 1,
          progressAt: 1,
          createdAt: 1,
        },
      },
    )
    .toArray()) as TaskDocument[];
  const bodies = tasks
    .filter(({ n }) => out.has(n))
    .map((task) => ({
      batchId: batch._id,
      incarnation: batch.incarnation,
      at: new Date(task.progressAt).toISOString(),
      step,
      task: task.n,
      epoch: task.epoch,
      version: task.progressVersion,
      counts: task.counts,
      segments: task.segments,
      ...(task.resent > 0 && { resent: task.resent }),
    }));
  return { bodies, createdAtMs: Math.min(...tasks.map((task) => task.createdAt)) };
}

/** The count on which an ended batch's end was decided. */
export function endOf({ state, counted }: BatchDocument): StatusFacts['ended'] {
  if (!counted || !isFinal(state)) return undefined;
  return { ...counted, at: new Date(counted.at).toISOString() };
}

export interface StoredFacts extends StatusFacts {
  /** The same as updates of the hash. */
  updates: StatsUpdate[];
}

/** What status is made of, from the system of record. */
export async function factsFromStore(store: StatsStore, batch: BatchDocument): Promise<StoredFacts> {
  const progress = progressOf(batch);
  const [{ bodies: tasks, createdAtMs }, recount] = await Promise.all([
    tasksOutOf(store, batch, progress),
    recountsOf(store.db).findOne({ _id: lifeId(batch._id, batch.incarnation) }),
  ]);
  const updates: StatsUpdate[] = [
    { kind: 'progress', body: progress },
    ...tasks.map((body) => ({ kind: 'task' as const, body })),
  ];
  const meta = { batchId: batch._id, incarnation: batch.incarnation };
  const recounted: RecountedBody | undefined = recount?.receipts && {
    ...meta,
    at: new Date(recount.atMs).toISOString(),
    version: recount.version,
    receipts: recount.receipts,
    ...(recount.counts && { counts: recount.counts }),
    ...(recount.resolved && { resolved: recount.resolved }),
  };
  if (recounted) updates.push({ kind: 'recount', body: recounted });
  const ended = endOf(batch);
  if (isFinal(batch.state)) {
    updates.push({
      kind: 'ended',
      body: {
        ...meta,
        at: new Date(batch.endedAt ?? batch.updatedAt).toISOString(),
        version: batch.version,
        state: batch.state.status as 'Succeeded' | 'Failed' | 'Aborted',
        total: progress.total,
        counts: ended?.counts ?? countsOf({ progress, tasks: [] }),
        ...(ended?.receipts && { receipts: ended.receipts }),
      },
    });
  }
  return {
    progress,
    tasks,
    recount: recounted,
    ended,
    samples: samplesOf(progress, tasks, createdAtMs),
    asOfMs: Math.max(batch.updatedAt, ...tasks.map((task) => Date.parse(task.at))),
    updates,
  };
}

/** Documents hold no history of the rate: the average since the oldest task that is out began has to do. */
function samplesOf(progress: ProgressBody, tasks: readonly TaskProgressBody[], fromMs: number) {
  const { phase } = progress;
  if (phase === null || tasks.length === 0) return [];
  const handled = tasks.reduce((sum, task) => sum + dealtWith(phase, task.counts), 0);
  const segments = tasks.reduce((sum, task) => sum + (task.segments ?? 0), 0);
  const atMs = Math.max(...tasks.map((task) => Date.parse(task.at)));
  return [
    { atMs: fromMs, handled: 0, segments: 0 },
    { atMs, handled, segments },
  ];
}
