import { chunkId, lifeId } from '../../../contracts/ids.ts';
import { isFinal } from '../../../contracts/states.ts';
import type { StepResult } from '../../../contracts/steps.ts';
import { insertNew } from '../../../lib/store/insert-new.ts';
import type { PartitionDocument } from '../../../lib/store/partition-document.ts';
import { chunkOfPlace, place } from '../../../lib/store/task-document.ts';
import { sourceChunkAt } from '../../../lib/tables/partition-layout.ts';
import { partitionOf } from '../partition-of.ts';
import { readSourceChunks } from '../source-chunks.ts';
import { type StepContext, StepFailure, type StepOutcome } from '../step.ts';
import { stopAt } from '../stop-at.ts';
import type { RecipientsSource } from './recipients-source.ts';
import { chosenPositions, chosenRows, rowChoice } from './select-rows.ts';

const CHUNKS_A_GROUP = 16;
/** The generation of a private table, whose rows never move. */
const GENERATION = 0;

/**
 * The source chunks of a child batch, chunk k from chunk k of its parent alone: whoever makes it, at whatever moment, it is
 * made once, and no recipient can fall between two chunks. Chunks may be small, or empty.
 * @returns the layout, or how it had to stop
 */
export async function childChunks(
  context: StepContext,
  { parent, filter }: Extract<RecipientsSource, { kind: 'parent' }>,
): Promise<PartitionDocument | { stopped: StepOutcome }> {
  const { batch, store, task } = context;
  const final = isFinal(parent.state);
  if (!final && filter.outcomes?.some((outcome) => outcome === 'pending' || outcome === 'inFlight')) {
    const message = `Batch ${parent._id} has not ended: its pending recipients may still be sent to.`;
    throw new StepFailure('parent-not-final', message);
  }
  const choice = rowChoice(filter, final, parent.restored ? 'unknown' : 'pending');
  const from = await partitionOf(store, parent);
  const life = lifeId(batch._id, batch.incarnation);
  const child: PartitionDocument = {
    ...from,
    _id: life,
    batchId: batch._id,
    table: life,
    generation: GENERATION,
    total: (task.soFar as StepResult | undefined)?.total ?? 0,
    createdAt: Date.now(),
  };

  for (let at = chunkOfPlace(task.cursor); at < from.chunks; at += CHUNKS_A_GROUP) {
    const to = Math.min(from.chunks, at + CHUNKS_A_GROUP);
    const ids = Array.from({ length: to - at }, (_, i) => chunkId(parent._id, parent.incarnation, at + i));
    const [sources, outcomes, receipts] = await Promise.all([
      readSourceChunks(store, from, at, to),
      store.outcomes.find({ _id: { $in: ids } }, { batchSize: ids.length }).toArray(),
      store.receipts.find({ _id: { $in: ids } }, { batchSize: ids.length }).toArray(),
    ]);
    const outcomeOf = new Map(outcomes.map((each) => [each._id, each]));
    const receiptOf = new Map(receipts.map((each) => [each._id, each]));
    const chunks = sources.map((source, i) => {
      const id = ids[i]!;
      const positions = chosenPositions(source.size, outcomeOf.get(id), receiptOf.get(id), choice);
      return chosenRows(source, positions, { id: sourceChunkAt(child, at + i).id, table: life });
    });
    const known = await insertNew(store.sourceChunks, chunks);
    child.total += await sizeOf(context, chunks, known);
    const stopped = await stopAt(context, { cursor: place(to, 0), soFar: { total: child.total } });
    if (stopped) return { stopped };
  }
  return child;
}

/** What is stored counts: between two tries a receipt may have moved a recipient in or out of the filter. */
async function sizeOf(
  { store }: StepContext,
  chunks: readonly { _id: string; size: number }[],
  known: readonly string[],
): Promise<number> {
  const stored =
    known.length === 0
      ? []
      : await store.sourceChunks
          .find({ _id: { $in: [...known] } }, { projection: { size: 1 }, batchSize: known.length })
          .toArray();
  const sizes = new Map(stored.map(({ _id, size }) => [_id, size]));
  return chunks.reduce((sum, { _id, size }) => sum + (sizes.get(_id) ?? size), 0);
}
