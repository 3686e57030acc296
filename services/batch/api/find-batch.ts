import { errorBody, RefusedError } from '../../../contracts/errors.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import type { Store } from '../../../lib/store/collections.ts';

/** @throws RefusedError `not-found` or `deleted` */
export async function findBatch(store: Store, id: string): Promise<BatchDocument> {
  const doc = await lookUpBatch(store, id);
  if (!doc) throw noBatch(id);
  return doc;
}

/** Undefined: nobody has created it, or the turn that does is still to come. @throws RefusedError `deleted` */
export async function lookUpBatch(store: Store, id: string): Promise<BatchDocument | undefined> {
  const doc = await store.batches.findOne({ _id: id });
  if (doc?.deletedAt !== undefined) {
    throw new RefusedError(
      errorBody('deleted', `Batch ${id} was deleted on ${new Date(doc.deletedAt).toISOString()}.`),
    );
  }
  return doc ?? undefined;
}

export function noBatch(id: string): RefusedError {
  const finding = { field: 'id', value: id, expected: 'the ID of a batch' };
  return new RefusedError(errorBody('not-found', `There is no batch ${id}.`, [finding]));
}
