import { lifeId } from '../../contracts/ids.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import type { Store } from '../../lib/store/collections.ts';
import type { PartitionDocument } from '../../lib/store/partition-document.ts';
import { StepFailure } from './step.ts';

/** What the batch consists of. @throws StepFailure where `partition` has not been */
export async function partitionOf(
  { partitions }: Pick<Store, 'partitions'>,
  { _id, incarnation }: Pick<BatchDocument, '_id' | 'incarnation'>,
): Promise<PartitionDocument> {
  const partition = await partitions.findOne({ _id: lifeId(_id, incarnation) });
  if (partition) return partition;
  throw new StepFailure(
    'not-partitioned',
    `Batch ${_id} was never partitioned: there is nothing to work on.`,
  );
}
