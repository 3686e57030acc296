import { decodeTime } from 'ulid';
import type { Store } from '../store/collections.ts';
import { sourceChunkPrefix } from '../store/table-documents.ts';
import { discardChunks } from './chunk-ranges.ts';
import { ABANDON_AFTER_MS } from './import-status.ts';

type OrphanStore = Pick<
  Store,
  'tables' | 'sourceChunks' | 'imports' | 'partitions' | 'batches' | 'orphanedChunks'
>;

export interface OrphansRemoved {
  /** Imports whose chunks nobody names, seen for the first time, or not long enough ago. */
  waiting: number;
  /** Imports whose chunks were removed. */
  removed: number;
  chunks: number;
}

/** A partition is stored within this time of the freeze, or finds chunks missing. */
const ORPHANED_FOR_MS = 3_600_000;

/**
 * Removes chunks that neither a table's manifest nor a partition names: of imports that died, of tables that were
 * deleted or placed anew. Only when they were so for an hour, seen by two sweeps; an import that still moves is left
 * alone, one that does not is told that it may not commit any more.
 */
export async function removeOrphans(
  store: OrphanStore,
  { now = Date.now(), orphanedForMs = ORPHANED_FOR_MS, abandonAfterMs = ABANDON_AFTER_MS } = {},
): Promise<OrphansRemoved> {
  const result: OrphansRemoved = { waiting: 0, removed: 0, chunks: 0 };
  for await (const at of importsWithChunks(store)) {
    const _id = sourceChunkPrefix(at.table, at.generation, at.importId);
    if (await isNamed(store, at)) {
      await store.orphanedChunks.deleteOne({ _id });
      continue;
    }
    if (await isMoving(store, at.importId, now - abandonAfterMs)) continue;
    const mark = await store.orphanedChunks.findOneAndUpdate(
      { _id },
      { $setOnInsert: { since: now } },
      { upsert: true, returnDocument: 'after' },
    );
    if (!mark || mark.since > now - orphanedForMs) {
      result.waiting++;
      continue;
    }
    result.chunks += await discardChunks(store, at.table, at.generation, at.importId);
    result.removed++;
    await store.orphanedChunks.deleteOne({ _id });
  }
  return result;
}

interface PlacedImport {
  table: string;
  generation: number;
  importId: string;
}

/** Every import that has chunks, by jumps through the index: one read an import, not one a chunk. */
async function* importsWithChunks({ sourceChunks }: OrphanStore): AsyncGenerator<PlacedImport> {
  let after = '';
  for (;;) {
    const next = await sourceChunks.findOne(
      { _id: { $gt: after } },
      { sort: { _id: 1 }, projection: { _id: 1 } },
    );
    if (!next) return;
    const tokens = next._id.split('.');
    // From the end: the private table of a batch may have a dot in its name.
    const [generation, importId] = tokens.slice(-4);
    const table = tokens.slice(0, -4).join('.');
    after = `${sourceChunkPrefix(table, Number(generation), importId!)}/`;
    yield { table, generation: Number(generation), importId: importId! };
  }
}

async function isNamed(store: OrphanStore, { table, generation, importId }: PlacedImport): Promise<boolean> {
  const inTable = await store.tables.findOne(
    { _id: table, generation, imports: { $elemMatch: { id: importId, chunksByBucket: { $ne: [] } } } },
    { projection: { _id: 1 } },
  );
  if (inTable) return true;
  const inPartition = await store.partitions.findOne(
    { table, generation, 'imports.id': importId },
    { projection: { _id: 1 } },
  );
  return inPartition !== null || (await isOfLiveBatch(store, table));
}

/** A batch's own table is named by its life; it may be held for days before it is partitioned, and cleans up itself. */
async function isOfLiveBatch({ batches }: OrphanStore, table: string): Promise<boolean> {
  const [_id, incarnation] = table.split('.');
  if (_id === undefined || incarnation === undefined) return false;
  return (await batches.findOne({ _id, incarnation }, { projection: { _id: 1 } })) !== null;
}

/** Whether an import may still commit; one that has not moved for long is given up in the same step. */
async function isMoving({ imports }: OrphanStore, importId: string, before: number): Promise<boolean> {
  await imports.updateOne(
    { _id: importId, state: 'running', updatedAt: { $lt: before } },
    { $set: { state: 'abandoned' } },
  );
  const status = await imports.findOne({ _id: importId }, { projection: { state: 1 } });
  if (status) return status.state === 'running';
  // Its status is gone after some days; younger than that, it never had one.
  return madeAt(importId) > before;
}

function madeAt(importId: string): number {
  try {
    return decodeTime(importId);
  } catch {
    return 0;
  }
}
