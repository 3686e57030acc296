import type { Collection } from 'mongodb';
import { chunkId, lifeId } from '../../../contracts/ids.ts';
import { recountsOf } from '../../../lib/receipts/recount-document.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { idsUnder } from '../../../lib/tables/chunk-ranges.ts';
import type { Step, StepContext, StepOutcome } from '../step.ts';
import { stopAt } from '../stop-at.ts';

const CHUNKS_A_DELETE = 250;

/**
 * Removes the source data that the batch made for itself: its private table and its inline recipients. Never outcomes.
 * A deleted batch (config `removeAll`, given by the actor alone) loses everything that belonged to it, chunks last of all
 * but the task of this very step. Harmless when done twice.
 */
export const cleanupStep: Step = {
  type: 'cleanup',
  defaultTimeoutMs: 10 * 60_000,
  concurrency: 1,
  async run(context) {
    const { batch, message, store, task } = context;
    const life = lifeId(batch._id, batch.incarnation);
    const removeAll = message.config.removeAll === true && batch.deletedAt !== undefined;
    const partition = await store.partitions.findOne({ _id: life }, { projection: { chunks: 1 } });

    await store.tables.deleteOne({ _id: life });
    await store.inlineRecipients.deleteOne({ _id: life });
    const source = await removeUnder(context, store.sourceChunks, life);
    if (source) return source;
    if (!removeAll) return { kind: 'done' };

    const ids = (index: number) => chunkId(batch._id, batch.incarnation, index);
    for (const collection of [
      store.messageChunks,
      store.numberPlaces,
      store.outcomes,
      store.receipts,
    ] as unknown as ChunkCollection[]) {
      const stopped = await removeChunks(context, collection, partition?.chunks ?? 0, ids);
      if (stopped) return stopped;
      await collection.deleteMany({ _id: idsUnder(life) });
    }
    await store.reports.deleteOne({ _id: life });
    await recountsOf(store.db).deleteOne({ _id: life });
    await store.partitions.deleteOne({ _id: life });
    await store.tasks.deleteMany({ $and: [{ _id: idsUnder(life) }, { _id: { $ne: task._id } }] });
    return { kind: 'done', forget: true };
  },
};

type ChunkCollection = Collection<{ _id: string }>;

/** In groups: one delete of a million recipients' chunks would run into every time-out. */
async function removeChunks(
  context: StepContext,
  collection: ChunkCollection,
  chunks: number,
  idOf: (index: number) => string,
): Promise<StepOutcome | undefined> {
  for (let from = 0; from < chunks; from += CHUNKS_A_DELETE) {
    const stopped = await stopAt(context);
    if (stopped) return stopped;
    const length = Math.min(CHUNKS_A_DELETE, chunks - from);
    await collection.deleteMany({ _id: { $in: Array.from({ length }, (_, i) => idOf(from + i)) } });
  }
  return undefined;
}

async function removeUnder(
  context: StepContext,
  collection: Store['sourceChunks'],
  prefix: string,
): Promise<StepOutcome | undefined> {
  for (;;) {
    const stopped = await stopAt(context);
    if (stopped) return stopped;
    const found = await collection
      .find(
        { _id: idsUnder(prefix) },
        { projection: { _id: 1 }, limit: CHUNKS_A_DELETE, batchSize: CHUNKS_A_DELETE },
      )
      .toArray();
    if (found.length === 0) return undefined;
    await collection.deleteMany({ _id: { $in: found.map(({ _id }) => _id) } });
  }
}
