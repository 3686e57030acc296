import type { Store } from '../store/collections.ts';
import type { PartitionDocument } from '../store/partition-document.ts';
import type { TableDocument } from '../store/table-documents.ts';
import { noSuchTable } from './delete-table.ts';
import { taskStartsOf } from './task-starts.ts';

/** What a partition document says of its table. */
export type FrozenTable = Pick<
  PartitionDocument,
  'table' | 'generation' | 'columns' | 'bucketBits' | 'imports' | 'taskStarts' | 'total' | 'chunks'
>;

/**
 * Takes down which chunks a table consists of at this moment; what is appended later is not among them. To be preceded by
 * replaceIfOutgrown. The partition document has to be stored within the hour: chunks that nobody names are removed after
 * that.
 * @throws RefusedError when there is no such table.
 */
export async function freeze(store: Pick<Store, 'tables'>, name: string): Promise<FrozenTable> {
  const table = await store.tables.findOne({ _id: name });
  if (!table) throw noSuchTable(name, 'tableStorageName');
  return frozen(table);
}

export function frozen(table: TableDocument): FrozenTable {
  const rowsByBucket = new Array<number>(2 ** table.bucketBits).fill(0);
  for (const each of table.imports) {
    each.rowsByBucket.forEach((rows, bucket) => {
      rowsByBucket[bucket]! += rows;
    });
  }
  return {
    table: table._id,
    generation: table.generation,
    columns: table.columns,
    bucketBits: table.bucketBits,
    imports: table.imports
      .filter(({ chunksByBucket }) => chunksByBucket.length > 0)
      .map(({ id, chunksByBucket }) => ({ id, chunksByBucket })),
    taskStarts: taskStartsOf(rowsByBucket),
    total: table.rows,
    chunks: table.chunks,
  };
}
