import { lifeId } from '../../contracts/ids.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import type { Store } from '../../lib/store/collections.ts';
import type { PartitionDocument } from '../../lib/store/partition-document.ts';
import { StepFailure } from './step.ts';

/** Each is asked for by every task of its batch, and never changes. */
const MAX_KNOWN = 16;
const knownBySource = new WeakMap<object, Map<string, PartitionDocument>>();

function knownOf(source: object): Map<string, PartitionDocument> {
  let known = knownBySource.get(source);
  if (!known) {
    known = new Map();
    knownBySource.set(source, known);
  }
  return known;
}

/** The last ones asked for. */
function keep(known: Map<string, PartitionDocument>, partition: PartitionDocument): void {
  known.delete(partition._id);
  known.set(partition._id, partition);
  const [oldest] = known.keys();
  if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
}

/** What the batch consists of. @throws StepFailure where `partition` has not been */
export async function partitionOf(
  { partitions }: Pick<Store, 'partitions'>,
  { _id, incarnation }: Pick<BatchDocument, '_id' | 'incarnation'>,
): Promise<PartitionDocument> {
  const life = lifeId(_id, incarnation);
  const known = knownOf(partitions);
  const partition = known.get(life) ?? (await partitions.findOne({ _id: life }));
  if (partition) {
    keep(known, partition);
    return partition;
  }
  throw new StepFailure(
    'not-partitioned',
    `Batch ${_id} was never partitioned: there is nothing to work on.`,
  );
}
