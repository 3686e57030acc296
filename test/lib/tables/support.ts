import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { connectMongo } from '../../../lib/mongo/connect.ts';
import { type Store, storeOf } from '../../../lib/store/collections.ts';
import { splitColumn } from '../../../lib/store/columns.ts';
import type { TableDocument } from '../../../lib/store/table-documents.ts';
import type { Octets } from '../../../lib/tables/sources/text-octets.ts';
import { testServers } from '../../support/servers.ts';

export const silent = pino({ level: 'silent' });

/** A store on a server of its own; what is opened is closed with it. */
export async function testStore(): Promise<Store & AsyncDisposable> {
  const servers = await testServers(['mongo']);
  const mongo = await connectMongo({
    url: servers.mongoUrl,
    database: servers.mongoDatabase,
    name: 'test',
    log: silent,
  });
  return {
    ...storeOf(mongo.db),
    [Symbol.asyncDispose]: async () => {
      await mongo.close();
      await servers.stop();
    },
  };
}

/** A file that is not on any disk, in pieces of any size. */
export function octets(content: string | Buffer, { label = 'file test.csv', pieces = 1 } = {}): Octets {
  const all = Buffer.from(content);
  return {
    label,
    size: all.length,
    async *open() {
      const size = Math.max(1, Math.ceil(all.length / pieces));
      for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size);
    },
  };
}

export async function tempFolder(): Promise<
  AsyncDisposable & { path: string; write(name: string, content: string | Buffer): Promise<string> }
> {
  const path = await mkdtemp(join(tmpdir(), 'smsbatch-tables-'));
  return {
    path,
    write: async (name, content) => {
      await writeFile(join(path, name), content);
      return join(path, name);
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** Every row of a table by its manifest, in the order of the chunks: phone column and variables. */
export async function rowsOf(store: Store, name: string): Promise<Record<string, string>[]> {
  const table = await store.tables.findOne({ _id: name });
  if (!table) return [];
  const rows: Record<string, string>[] = [];
  for (const id of chunkIdsOf(table)) {
    const chunk = await store.sourceChunks.findOne({ _id: id });
    if (!chunk) throw new Error(`chunk ${id} is missing`);
    const columns = Object.entries(chunk.columns).map(
      ([key, joined]) => [key, splitColumn(joined, chunk.size)] as const,
    );
    splitColumn(chunk.phones, chunk.size).forEach((phone, i) => {
      rows.push({ phone, ...Object.fromEntries(columns.map(([key, values]) => [key, values[i]!])) });
    });
  }
  return rows;
}

export function chunkIdsOf(table: TableDocument): string[] {
  const ids: string[] = [];
  for (let bucket = 0; bucket < 2 ** table.bucketBits; bucket++) {
    for (const { id, chunksByBucket } of table.imports) {
      for (let i = 0; i < (chunksByBucket[bucket] ?? 0); i++) {
        ids.push(`${table._id}.${table.generation}.${id}.${bucket}.${i}`);
      }
    }
  }
  return ids;
}

/** Valid British mobiles, each once. */
export const mobile = (n: number): string => `4479${String(11_000_000 + n).padStart(8, '0')}`;
