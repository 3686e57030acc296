import type { Collection } from 'mongodb';
import { lifeId } from '../../../contracts/ids.ts';
import { recountsOf } from '../../../lib/receipts/recount-document.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { idsUnder } from '../../../lib/tables/chunk-ranges.ts';

type ById = Collection<{ _id: string }>;

export interface LeftoverOptions {
  dryRun: boolean;
  /** How many are named in the result. */
  examples: number;
  signal: AbortSignal;
}

/**
 * Recipients' chunks, journals and reports of batches that are gone: their document, and its tombstone, exist no more. A life
 * whose batch is there, whatever its state, is left alone.
 */
export async function removeLeftovers(
  store: Store,
  { dryRun, examples, signal }: LeftoverOptions,
): Promise<{ lives: number; examples: string[] }> {
  const collections = [
    store.messageChunks,
    store.numberPlaces,
    store.outcomes,
    store.receipts,
    store.tasks,
    store.partitions,
    store.inlineRecipients,
    store.reports,
    recountsOf(store.db),
  ] as unknown as ById[];
  const gone = new Set<string>();
  for (const collection of collections) {
    for await (const life of livesIn(collection)) {
      if (signal.aborted) throw new Error('stopped before its end; the next run goes on');
      if (await isThere(store, life)) continue;
      gone.add(life);
      if (dryRun) continue;
      await collection.deleteMany({ _id: idsUnder(life) });
      await collection.deleteOne({ _id: life });
    }
  }
  return { lives: gone.size, examples: [...gone].slice(0, examples) };
}

/** `<batchId>.<incarnation>` of the documents of a collection, from one life to the next: one short read each. */
async function* livesIn(collection: ById): AsyncGenerator<string, void> {
  let after = '';
  for (;;) {
    const next = await collection.findOne(
      { _id: { $gt: after } },
      { sort: { _id: 1 }, projection: { _id: 1 } },
    );
    if (!next) return;
    const [batchId, incarnation] = next._id.split('.');
    const life = lifeId(batchId!, incarnation ?? '');
    yield life;
    // `/` is the character behind `.`: past the life itself and all that is under it.
    after = `${life}/`;
  }
}

async function isThere({ batches }: Store, life: string): Promise<boolean> {
  const [batchId, incarnation] = life.split('.');
  const batch = await batches.findOne({ _id: batchId! }, { projection: { incarnation: 1 } });
  return batch?.incarnation === incarnation;
}
