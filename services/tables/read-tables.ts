import { errorBody, RefusedError } from '../../contracts/errors.ts';
import type {
  TableGetAnswer,
  TableGetRequest,
  TableListAnswer,
  TableListRequest,
} from '../../contracts/tables.ts';
import type { Store } from '../../lib/store/collections.ts';
import { noSuchTable } from '../../lib/tables/delete-table.ts';
import { importView } from '../../lib/tables/import-status.ts';
import { tableView } from '../../lib/tables/table-view.ts';

type Tables = Pick<Store, 'tables' | 'imports'>;

const IMPORTS_SHOWN = 20;
const TABLES_A_PAGE = 100;

/** What a view needs of a manifest: not its numbers by bucket, which are most of it. */
const SHOWN = { 'imports.chunksByBucket': 0, 'imports.rowsByBucket': 0 };

/** @throws RefusedError when there is neither such a table nor an import that would make it */
export async function getTable(
  { tables, imports }: Tables,
  { table, importId }: TableGetRequest,
): Promise<TableGetAnswer> {
  // In this order: what an import says it has made is there.
  const statuses = await imports
    .find(
      { table, ...(importId !== undefined && { _id: importId }) },
      { sort: { startedAt: -1 }, limit: IMPORTS_SHOWN, batchSize: IMPORTS_SHOWN },
    )
    .toArray();
  const found = await tables.findOne({ _id: table }, { projection: SHOWN });
  if (importId !== undefined && statuses.length === 0) throw noSuchImport(table, importId);
  if (!found && statuses.length === 0) throw noSuchTable(table);
  const now = Date.now();
  return {
    table: found && tableView(found),
    imports: statuses.map((status) => {
      const committed = found?.imports.some(({ id }) => id === status._id);
      const view = importView(status, now, committed);
      // Twenty reports with a thousand findings each would not fit into an answer: they come with `importId`.
      if (view.report && importId === undefined) view.report = { ...view.report, findings: [] };
      return view;
    }),
  };
}

const noSuchImport = (table: string, importId: string) =>
  new RefusedError(
    errorBody('not-found', `Table ${table} has no import ${importId}, or it is longer than a week ago.`, [
      { field: 'importId', value: importId, expected: 'an importId that sms.api.table.get lists' },
    ]),
  );

/** By name; the private tables of batches are left out. */
export async function listTables(
  { tables }: Tables,
  { prefix = '', limit = TABLES_A_PAGE, cursor = '' }: TableListRequest,
): Promise<TableListAnswer> {
  const from = cursor >= prefix && cursor !== '' ? { $gt: cursor } : { $gte: prefix };
  const found = await tables
    .find(
      // `\uffff` lies behind every character that a name may have.
      { _id: { ...from, $lt: `${prefix}\uffff` }, ownedBy: { $exists: false } },
      { sort: { _id: 1 }, limit: limit + 1, batchSize: limit + 1, projection: SHOWN },
    )
    .toArray();
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return { tables: page.map(tableView), ...(last && found.length > limit && { nextCursor: last._id }) };
}
