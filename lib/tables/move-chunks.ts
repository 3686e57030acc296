import type { Store } from '../store/collections.ts';
import { splitColumn } from '../store/columns.ts';
import { sourceChunkId, type TableImport } from '../store/table-documents.ts';
import { chunkWriter } from './chunk-writer.ts';
import { type Placement, placer } from './placer.ts';
import { hashStoredPhone } from './stored-phone.ts';

type Placed = Pick<TableImport, 'chunksByBucket' | 'rowsByBucket'>;

const CHUNKS_A_READ = 32;

/**
 * Places the rows of some imports anew: bucket by bucket, in each by import, so that among duplicates the first stays
 * the first. The old chunks stay.
 * @throws Error when a chunk is missing.
 */
export async function moveChunks(
  store: Pick<Store, 'sourceChunks'>,
  from: { table: string; generation: number; imports: readonly Pick<TableImport, 'id' | 'chunksByBucket'>[] },
  to: Placement,
  columns: readonly string[],
  signal: AbortSignal,
): Promise<Placed> {
  const writer = chunkWriter(store.sourceChunks, signal);
  const placing = placer(to, (chunk) => writer.add(chunk));
  placing.setColumns(columns, -1);
  const buckets = Math.max(0, ...from.imports.map((each) => each.chunksByBucket.length));
  try {
    for (let bucket = 0; bucket < buckets; bucket++) {
      for (const ids of inGroups(idsOf(from, bucket), CHUNKS_A_READ)) {
        signal.throwIfAborted();
        await moveGroup(store, ids, columns, placing.put);
        await writer.ready();
      }
    }
    placing.flush();
  } finally {
    await writer.end();
  }
  return { chunksByBucket: placing.chunksByBucket, rowsByBucket: placing.rowsByBucket };
}

function idsOf({ table, generation, imports }: Parameters<typeof moveChunks>[1], bucket: number): string[] {
  return imports.flatMap(({ id, chunksByBucket }) =>
    Array.from({ length: chunksByBucket[bucket] ?? 0 }, (_, i) =>
      sourceChunkId(table, generation, id, bucket, i),
    ),
  );
}

async function moveGroup(
  { sourceChunks }: Pick<Store, 'sourceChunks'>,
  ids: readonly string[],
  columns: readonly string[],
  put: (phone: string, hash: number, row: readonly string[]) => void,
): Promise<void> {
  const found = await sourceChunks.find({ _id: { $in: [...ids] } }, { batchSize: ids.length }).toArray();
  const byId = new Map(found.map((chunk) => [chunk._id, chunk]));
  for (const id of ids) {
    const chunk = byId.get(id);
    if (!chunk) throw new Error(`source chunk ${id} is missing`);
    const phones = splitColumn(chunk.phones, chunk.size);
    const values = columns.map((name) => splitColumn(chunk.columns[name] ?? '', chunk.size));
    phones.forEach((phone, i) => {
      const row = values.map((column) => column[i]!);
      put(phone, hashStoredPhone(phone), row);
    });
  }
}

function* inGroups<T>(all: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}
