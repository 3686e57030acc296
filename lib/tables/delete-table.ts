import { errorBody, RefusedError } from '../../contracts/errors.ts';
import { retryTransient } from '../mongo/errors.ts';
import type { Store } from '../store/collections.ts';
import type { TableDocument } from '../store/table-documents.ts';
import { notYours } from './manifest.ts';

export const noSuchTable = (name: string, field = 'table'): RefusedError =>
  new RefusedError(
    errorBody('not-found', `There is no table ${name}.`, [
      { field, value: name, expected: 'a table that was imported: sms.api.table.list' },
    ]),
  );

/**
 * Removes a table: its manifest at once, its chunks when no batch needs what it has frozen of them (removeOrphans).
 * @param ownedBy the batch whose private table it is
 * @throws RefusedError when there is none, it belongs to a batch, or has another version than expected.
 */
export async function deleteTable(
  store: Pick<Store, 'tables'>,
  name: string,
  { expectedVersion, ownedBy }: { expectedVersion?: number | undefined; ownedBy?: string | undefined } = {},
): Promise<TableDocument> {
  const table = await store.tables.findOne({ _id: name });
  if (!table) throw noSuchTable(name);
  if (table.ownedBy !== ownedBy) throw notYours(table);
  if (expectedVersion !== undefined && table.version !== expectedVersion) {
    const errors = [{ field: 'expectedVersion', value: expectedVersion, expected: `${table.version}` }];
    throw new RefusedError(errorBody('version-conflict', `Table ${name} has another version.`, errors));
  }
  const filter =
    expectedVersion === undefined ? { createdAt: table.createdAt } : { version: expectedVersion };
  const deleted = await retryTransient(() => store.tables.findOneAndDelete({ _id: name, ...filter }), {
    deadlineMs: 10_000,
    what: `deleting table ${name}`,
  });
  // Deleted, or changed, between our two looks.
  if (!deleted) return deleteTable(store, name, { expectedVersion, ownedBy });
  return deleted;
}
