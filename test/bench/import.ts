/**
 * CSV → validated, placed chunks: rows a second and memory, over a generated file.
 * npx tsx test/bench/import.ts [rows] [repeats]
 */
import { stat } from 'node:fs/promises';
import { pino } from 'pino';
import { connectMongo } from '../../lib/mongo/connect.ts';
import { storeOf } from '../../lib/store/collections.ts';
import { placeRows } from '../../lib/tables/place-rows.ts';
import { replaceIfOutgrown } from '../../lib/tables/replace-table.ts';
import { csvSource } from '../../lib/tables/sources/csv-source.ts';
import { localFile } from '../../lib/tables/sources/local-file.ts';
import { writeCsv } from '../../scripts/demo/recipients.ts';
import { tempFolder } from '../lib/tables/support.ts';
import { testServers } from '../support/servers.ts';

const rows = Number(process.argv[2] ?? 1_000_000);
const repeats = Number(process.argv[3] ?? 3);

await using folder = await tempFolder();
const path = `${folder.path}/people.csv`;
const counts = await writeCsv(path, { count: rows, seed: 1 });
console.log(`${rows} rows, ${(await stat(path)).size} octets, ${counts.invalid} invalid numbers`);

const never = new AbortController().signal;
for (let n = 0; n < repeats; n++) {
  const source = csvSource(await localFile(path, [folder.path]));
  const startedAt = performance.now();
  let read = 0;
  for await (const batch of source.batches(never)) read += batch.rows.length;
  report('read alone (unpack, UTF-8, SHA-256, CSV)', read, startedAt);
}

await using servers = await testServers(['mongo']);
await using mongo = await connectMongo({
  url: servers.mongoUrl,
  database: servers.mongoDatabase,
  name: 'bench',
  log: pino({ level: 'silent' }),
});
const store = storeOf(mongo.db);
for (let n = 0; n < repeats; n++) {
  const source = csvSource(await localFile(path, [folder.path]));
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  const imported = await placeRows(store, { table: `t${n}`, source });
  report('import', imported.rows, startedAt, cpu);
  if (imported.invalidNumbers !== counts.invalid)
    throw new Error(`${imported.invalidNumbers} invalid numbers`);
}
// A table with a single bucket, placed anew in as many as it needs.
await store.tables.updateOne({ _id: 't0' }, { $set: { chunks: 10_000_000 } });
const startedAt = performance.now();
if (await replaceIfOutgrown(store, 't0')) report('placed anew', rows, startedAt);

function report(what: string, count: number, startedAt: number, cpu?: NodeJS.CpuUsage): void {
  const seconds = (performance.now() - startedAt) / 1_000;
  const used = cpu && process.cpuUsage(cpu);
  const perRow = used ? `, ${((used.user + used.system) / count).toFixed(2)} µs CPU a row` : '';
  const memory = Math.round(process.memoryUsage.rss() / 1e6);
  console.log(
    `${what}: ${Math.round(count / seconds).toLocaleString('en')} rows/s${perRow}, RSS ${memory} MB`,
  );
}
