import type { Swept } from '../../../contracts/events.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { TASKS_OUT_FIELDS, tasksOutOf } from '../../../lib/tasks/tasks-out.ts';
import type { SweptBatch } from './tell.ts';

/** A sweep looks at this much; what is left is found by the next one. */
const A_SWEEP = 200;

type Woken = Pick<BatchDocument, '_id' | 'incarnation' | 'version' | 'state' | 'work'>;

/** Batches whose clock has rung, and those whose last turn nobody has seen published. */
export async function findDue(
  { batches, tasks }: Pick<Store, 'batches' | 'tasks'>,
  { nowMs, unpublishedAfterMs }: { nowMs: number; unpublishedAfterMs: number },
): Promise<SweptBatch[]> {
  const projection = { ...TASKS_OUT_FIELDS, state: 1 };
  const [due, unpublished] = await Promise.all([
    batches
      .find<Woken>({ wakeAt: { $lte: nowMs } }, { projection })
      .limit(A_SWEEP)
      .toArray(),
    batches
      .find<Woken>({ unpublished: true, updatedAt: { $lte: nowMs - unpublishedAfterMs } }, { projection })
      .limit(A_SWEEP)
      .toArray(),
  ]);
  const found = new Map<string, SweptBatch>();
  const add = (batch: Woken, what: Swept) => {
    const known = found.get(batch._id);
    if (known) known.found.push({ what });
    else found.set(batch._id, { batch, found: [{ what }] });
  };
  for (const batch of unpublished) add(batch, 'unpublished');
  for (const batch of due) add(batch, batch.state.status === 'Scheduled' ? 'due' : 'deadline');
  for (const swept of found.values()) {
    const out = await tasks
      .find({ _id: { $in: tasksOutOf(swept.batch) } }, { projection: { progressAt: 1 } })
      .toArray();
    // Else a phase that moves would be judged by what its actor heard last.
    const progressAt = Math.max(...out.map((task) => task.progressAt));
    if (Number.isFinite(progressAt)) swept.progressAt = progressAt;
  }
  return [...found.values()];
}
