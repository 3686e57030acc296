import { ulid } from 'ulid';
import { backoffMs } from '../lifecycle/backoff.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { isTransient } from '../mongo/errors.ts';
import type { TableDocument, TableImport } from '../store/table-documents.ts';
import { bucketBitsFor, hasOutgrown } from './bucket-bits.ts';
import { discardChunks } from './chunk-ranges.ts';
import { beginImport } from './import-status.ts';
import { moveChunks } from './move-chunks.ts';
import type { ImportStore } from './place-rows.ts';

/** What the one import is called that holds the rows of a table that was placed anew. */
export const PLACED_ANEW = 'placed anew';
/** Imports that are only remembered, so that their content is not imported twice. */
const REMEMBERED_IMPORTS = 5_000;
const REPLACE_DEADLINE_MS = 10 * 60_000;

/**
 * Places a table anew, in as many buckets as its rows need, when it has far too few of them or far too many chunks. To
 * be called before the table is frozen. The old chunks stay: partitions may use them (see removeOrphans).
 * @returns true when it was placed anew here; false when there was no need, or someone else did it
 */
export async function replaceIfOutgrown(
  store: ImportStore,
  name: string,
  signal: AbortSignal = new AbortController().signal,
): Promise<boolean> {
  const first = await store.tables.findOne({ _id: name });
  if (!first || !hasOutgrown(first)) return false;
  const importId = ulid();
  const status = await beginImport(store, { id: importId, table: name, source: PLACED_ANEW });
  const to = {
    table: name,
    generation: Math.max(first.generation + 1, Date.now()),
    bucketBits: Math.max(first.bucketBits, bucketBitsFor(first.rows)),
    importId,
  };
  let rows = 0;
  let committing = false;
  try {
    let entry: TableImport = { ...emptyEntry, id: importId, at: Date.now() };
    const moved = new Set<string>();
    const startedAt = performance.now();
    for (let attempt = 1; ; attempt++) {
      const table = await store.tables.findOne({ _id: name });
      if (table?.generation === to.generation) break;
      if (!table || table.generation !== first.generation) throw new Overtaken();
      const rest = table.imports.filter(
        ({ id, chunksByBucket }) => chunksByBucket.length > 0 && !moved.has(id),
      );
      if (rest.length > 0) {
        entry = await moveInto(store, table, rest, to, entry, signal);
        for (const { id } of rest) moved.add(id);
        rows = entry.rows;
        await status.progress(rows);
      }
      if (!(await status.mayCommit())) throw new Error(`placing ${name} anew was given up as dead meanwhile`);
      committing = true;
      if (await swap(store, table, to, entry)) break;
      if (performance.now() - startedAt > REPLACE_DEADLINE_MS)
        throw new Error(`${name} changes all the time`);
      await sleep(backoffMs(attempt, { firstMs: 5, capMs: 200 }), signal);
    }
    await status.done({
      table: name,
      importId,
      rows,
      badLines: 0,
      invalidNumbers: 0,
      columns: first.columns,
      findings: [],
      findingsTotal: 0,
    });
    return true;
  } catch (error) {
    // A swap whose answer was lost may have arrived: then nothing may go.
    if (!committing || error instanceof Overtaken) {
      await discardChunks(store, name, to.generation, importId).catch(() => {});
    }
    const message =
      error instanceof Overtaken ? 'Someone else placed the table anew.' : 'It was not placed anew.';
    await status.failed({ code: 'internal', message, errors: [] }).catch(() => {});
    if (error instanceof Overtaken) return false;
    throw error;
  }
}

/** The table is not the one any more that we began with: another generation, or deleted. */
class Overtaken extends Error {}

const emptyEntry = {
  sha256: '',
  reading: '',
  source: PLACED_ANEW,
  rows: 0,
  badLines: 0,
  invalidNumbers: 0,
  chunksByBucket: [] as number[],
  rowsByBucket: [] as number[],
};

async function moveInto(
  store: ImportStore,
  table: TableDocument,
  imports: readonly TableImport[],
  to: Parameters<typeof moveChunks>[2],
  entry: TableImport,
  signal: AbortSignal,
): Promise<TableImport> {
  const from = { table: table._id, generation: table.generation, imports };
  const placed = await moveChunks(
    store,
    from,
    { ...to, firstChunks: entry.chunksByBucket },
    table.columns,
    signal,
  );
  const added = (more: readonly number[], before: readonly number[]) =>
    more.map((n, at) => n + (before[at] ?? 0));
  return {
    ...entry,
    rows: entry.rows + imports.reduce((sum, each) => sum + each.rows, 0),
    chunksByBucket: placed.chunksByBucket,
    rowsByBucket: added(placed.rowsByBucket, entry.rowsByBucket),
  };
}

/** One atomic update: the new generation is the table from here on. @returns false when the table changed meanwhile */
async function swap(
  { tables }: ImportStore,
  table: TableDocument,
  { generation, bucketBits }: { generation: number; bucketBits: number },
  entry: TableImport,
): Promise<boolean> {
  const remembered = table.imports
    .filter(({ source }) => source !== PLACED_ANEW)
    .slice(-REMEMBERED_IMPORTS)
    .map((each) => ({ ...each, chunksByBucket: [], rowsByBucket: [] }));
  const $set = {
    version: table.version + 1,
    generation,
    bucketBits,
    chunks: entry.chunksByBucket.reduce((sum, each) => sum + each, 0),
    imports: [...remembered, entry],
    updatedAt: Date.now(),
  };
  try {
    const written = await tables.updateOne({ _id: table._id, version: table.version }, { $set });
    return written.matchedCount === 1;
  } catch (error) {
    if (isTransient(error)) return false;
    throw error;
  }
}
