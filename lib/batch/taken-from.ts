import type { ParentRef, RecipientFilter } from '../../contracts/commands.ts';
import type { BatchDocument } from '../store/batch-document.ts';
import type { Store } from '../store/collections.ts';

export type TakenFrom = ParentRef & { filter: RecipientFilter };

/**
 * The batch out of whose recipients a filter takes this one's; undefined: it has a source of its own. A dry run of a child
 * tries out what the child would take, so it takes from the child's parent.
 */
export async function takenFrom(
  store: Pick<Store, 'batches'>,
  { parent, dryRun }: Pick<BatchDocument, 'parent' | 'dryRun'>,
): Promise<TakenFrom | undefined> {
  if (!parent?.filter) return undefined;
  const { batchId, incarnation, filter } = parent;
  if (!dryRun) return { batchId, incarnation, filter };
  const tried = await store.batches.findOne(
    { _id: batchId, incarnation },
    { projection: { parent: 1, dryRun: 1 } },
  );
  return tried ? takenFrom(store, tried) : { batchId, incarnation, filter };
}
