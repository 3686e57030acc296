import type { Store } from '../../lib/store/collections.ts';
import type { PartitionDocument } from '../../lib/store/partition-document.ts';
import type { SourceChunk } from '../../lib/store/table-documents.ts';
import { sourceChunkAt } from '../../lib/tables/partition-layout.ts';
import { StepFailure } from './step.ts';

/** What a projection can name; in any other name a dot or a dollar would mean something else. */
const plainName = /^[A-Za-z0-9_]+$/;

/**
 * The source chunks `from` to `to` (without) of a batch, in its frozen order.
 * @param columns those that are needed; absent: all
 * @throws StepFailure when a chunk is gone
 */
export async function readSourceChunks(
  { sourceChunks }: Pick<Store, 'sourceChunks'>,
  partition: PartitionDocument,
  from: number,
  to: number,
  columns?: readonly string[],
): Promise<SourceChunk[]> {
  const ids = Array.from({ length: to - from }, (_, i) => sourceChunkAt(partition, from + i).id);
  const options = { batchSize: ids.length, ...(columns && projectionOf(columns)) };
  const found = await sourceChunks.find({ _id: { $in: ids } }, options).toArray();
  const byId = new Map(found.map((chunk) => [chunk._id, { ...chunk, columns: chunk.columns ?? {} }]));
  return ids.map((id) => {
    const chunk = byId.get(id);
    if (chunk) return chunk;
    const message = `Recipients of ${partition.table} are gone: chunk ${id} was removed, with its table or by cleanup.`;
    throw new StepFailure('source-gone', message);
  });
}

function projectionOf(columns: readonly string[]): { projection?: Record<string, 1> } {
  if (!columns.every((name) => plainName.test(name))) return {};
  const names = columns.map((name) => [`columns.${name}`, 1] as const);
  return { projection: { table: 1, size: 1, phones: 1, ...Object.fromEntries(names) } };
}
