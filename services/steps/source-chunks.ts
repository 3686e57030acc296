import type { Store } from '../../lib/store/collections.ts';
import type { PartitionDocument } from '../../lib/store/partition-document.ts';
import type { SourceChunk } from '../../lib/store/table-documents.ts';
import { sourceChunkAt } from '../../lib/tables/partition-layout.ts';
import { StepFailure } from './step.ts';

/** The source chunks `from` to `to` (without) of a batch, in its frozen order. @throws StepFailure when one is gone */
export async function readSourceChunks(
  { sourceChunks }: Pick<Store, 'sourceChunks'>,
  partition: PartitionDocument,
  from: number,
  to: number,
): Promise<SourceChunk[]> {
  const ids = Array.from({ length: to - from }, (_, i) => sourceChunkAt(partition, from + i).id);
  const found = await sourceChunks.find({ _id: { $in: ids } }, { batchSize: ids.length }).toArray();
  const byId = new Map(found.map((chunk) => [chunk._id, chunk]));
  return ids.map((id) => {
    const chunk = byId.get(id);
    if (chunk) return chunk;
    const message = `Recipients of ${partition.table} are gone: chunk ${id} was removed, with its table or by cleanup.`;
    throw new StepFailure('source-gone', message);
  });
}
