import { isFinal } from '../../../contracts/states.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import type { Effect } from '../../../lib/store/effects.ts';
import { TOMBSTONE_MS } from './create.ts';
import { type Decision, type Facts, rejected } from './decision.ts';
import { forbids } from './lifecycle.ts';
import { emit, type Turn } from './turn.ts';

/**
 * Leaves a tombstone, version kept, so that a zombie cannot revive the batch; its chunks and tables are removed by a
 * task of `cleanup`.
 */
export function remove(turn: Turn, facts: Facts): Decision | undefined {
  const { doc, at } = turn;
  const unstarted =
    doc.state.phase === null && (doc.state.status === 'Pending' || doc.state.status === 'Scheduled');
  if (!unstarted && !isFinal(doc.state))
    return forbids(doc, 'delete', 'a batch that has not started or has ended');
  if (facts.waitingChildren && facts.waitingChildren.length > 0) {
    return rejected('state-forbids', 'Child batches still have to take their recipients from this one.', [
      { field: 'children', value: facts.waitingChildren, expected: 'none that is not partitioned yet' },
    ]);
  }
  doc.deletedAt = at;
  doc.removeAt = new Date(at + TOMBSTONE_MS);
  doc.epoch += 1;
  doc.work = { step: 'cleanup', count: 1, next: 1, out: [0], yielded: [] };
  turn.effects.push(removal(doc));
  emit(turn, 'deleted', { version: doc.version });
  return undefined;
}

/** The task that removes all that belonged to the batch. */
export const removal = ({ _id, epoch, incarnation }: BatchDocument): Effect => ({
  kind: 'task',
  task: { batchId: _id, step: 'cleanup', task: 0, epoch, incarnation, config: { removeAll: true } },
});
