import { errorBody, RefusedError } from '../../contracts/errors.ts';
import { backoffMs } from '../lifecycle/backoff.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { isDuplicateKey, isTransient } from '../mongo/errors.ts';
import type { Store } from '../store/collections.ts';
import type { TableDocument, TableImport } from '../store/table-documents.ts';
import { discardChunks } from './chunk-ranges.ts';
import { moveChunks } from './move-chunks.ts';
import type { Placement } from './placer.ts';

type TableStore = Pick<Store, 'tables' | 'sourceChunks'>;

export interface Commit {
  /** Where the chunks lie. */
  placement: Placement;
  /** `createdAt` of the table that the import found when it began; undefined: there was none, and it may make one. */
  foundTable: number | undefined;
  entry: TableImport;
  columns: readonly string[];
  ownedBy?: string | undefined;
}

export type Committed =
  | { kind: 'committed'; table: TableDocument; placement: Placement }
  /** The same content is in the table: the chunks are not part of it. */
  | { kind: 'duplicate'; of: string; table: TableDocument; placement: Placement };

const COMMIT_DEADLINE_MS = 60_000;

/** Names of columns, first seen first. */
export const unionOf = (known: readonly string[], more: readonly string[]): string[] => [
  ...new Set([...known, ...more]),
];

export const sameContent = (
  { imports }: Pick<TableDocument, 'imports'>,
  { sha256, reading }: Pick<TableImport, 'sha256' | 'reading'>,
): TableImport | undefined =>
  imports.find((each) => each.sha256 === sha256 && each.reading === reading && sha256 !== '');

/**
 * Takes an import into its table in one atomic update, tried again while others do the same. If the table was placed
 * anew meanwhile, the import's own chunks are placed anew first.
 * @param placed told where the chunks lie now, whenever they were placed anew: whoever discards them has to know
 * @throws RefusedError when the table was deleted meanwhile, or belongs to a batch: then it surely is not in the table.
 *   After any other error it may be.
 */
export async function commitImport(
  store: TableStore,
  commit: Commit,
  signal: AbortSignal,
  placed: (placement: Placement) => void,
): Promise<Committed> {
  let { placement, entry } = commit;
  const startedAt = performance.now();
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      const table = await store.tables.findOne({ _id: placement.table });
      if (!table) {
        if (commit.foundTable !== undefined) throw deleted(placement.table);
        const made = newTable({ ...commit, placement, entry });
        await store.tables.insertOne(made);
        return { kind: 'committed', table: made, placement };
      }
      // An earlier try did arrive, only its answer did not.
      if (table.imports.some(({ id }) => id === entry.id)) return { kind: 'committed', table, placement };
      if (table.ownedBy !== commit.ownedBy) throw notYours(table);
      if (commit.foundTable !== undefined && commit.foundTable !== table.createdAt) throw deleted(table._id);
      const same = sameContent(table, entry);
      if (same) return { kind: 'duplicate', of: same.id, table, placement };
      if (table.generation !== placement.generation) {
        const to = { ...placement, generation: table.generation, bucketBits: table.bucketBits };
        const from = { ...placement, imports: [entry] };
        await discardChunks(store, to.table, to.generation, to.importId);
        entry = { ...entry, ...(await moveChunks(store, from, to, commit.columns, signal)) };
        placed(to);
        await discardChunks(store, placement.table, placement.generation, placement.importId);
        placement = to;
        continue;
      }
      const next = withImport(table, entry, commit.columns);
      const written = await store.tables.updateOne(
        { _id: table._id, version: table.version },
        {
          $set: {
            version: next.version,
            rows: next.rows,
            chunks: next.chunks,
            columns: next.columns,
            updatedAt: next.updatedAt,
          },
          $push: { imports: entry },
        },
      );
      if (written.matchedCount === 1) return { kind: 'committed', table: next, placement };
    } catch (error) {
      if (!isTransient(error) && !isDuplicateKey(error)) throw error;
      if (performance.now() - startedAt > COMMIT_DEADLINE_MS) throw error;
    }
    await sleep(backoffMs(attempt, { firstMs: 10, capMs: 500 }), signal);
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

function newTable({ placement, entry, columns, ownedBy }: Commit): TableDocument {
  const empty: TableDocument = {
    _id: placement.table,
    version: 0,
    generation: placement.generation,
    bucketBits: placement.bucketBits,
    columns: [],
    rows: 0,
    chunks: 0,
    imports: [],
    createdAt: entry.at,
    updatedAt: entry.at,
    ...(ownedBy !== undefined && { ownedBy }),
  };
  return withImport(empty, entry, columns);
}

function withImport(table: TableDocument, entry: TableImport, columns: readonly string[]): TableDocument {
  return {
    ...table,
    version: table.version + 1,
    rows: table.rows + entry.rows,
    chunks: table.chunks + sum(entry.chunksByBucket),
    columns: unionOf(table.columns, columns),
    imports: [...table.imports, entry],
    updatedAt: entry.at,
  };
}

const deleted = (table: string) =>
  new RefusedError(
    errorBody('not-found', `Table ${table} was deleted while the import ran; nothing was imported.`),
  );

/** A batch's own table takes rows from that batch alone. */
export const notYours = ({ _id, ownedBy }: TableDocument) =>
  new RefusedError(
    errorBody(
      'already-exists',
      ownedBy === undefined
        ? `There is a table ${_id} that belongs to no batch.`
        : `Table ${_id} belongs to batch ${ownedBy}.`,
    ),
  );
