import type { TableView } from '../../contracts/tables.ts';
import type { TableDocument } from '../store/table-documents.ts';

/** What people see of a table. */
export function tableView(
  table: Omit<TableDocument, 'imports'> & Partial<Pick<TableDocument, 'imports'>>,
): TableView {
  const { _id, version, rows, chunks, columns, bucketBits, imports = [], createdAt, updatedAt } = table;
  return {
    table: _id,
    version,
    rows,
    chunks,
    columns,
    buckets: 2 ** bucketBits,
    invalidNumbers: imports.reduce((sum, each) => sum + each.invalidNumbers, 0),
    importsTotal: imports.length,
    createdAt: new Date(createdAt).toISOString(),
    updatedAt: new Date(updatedAt).toISOString(),
  };
}
