import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connectMongo, type Mongo } from '../../../lib/mongo/connect.ts';
import { type Store, storeOf } from '../../../lib/store/collections.ts';
import { importView } from '../../../lib/tables/import-status.ts';
import { placeRows } from '../../../lib/tables/place-rows.ts';
import { removeOrphans } from '../../../lib/tables/remove-orphans.ts';
import type { RowSource } from '../../../lib/tables/row-source.ts';
import { givenRows } from '../../../lib/tables/sources/given-rows.ts';
import { TYPESCRIPT } from '../../../scripts/engine/typescript-loader.ts';
import { testServers } from '../../support/servers.ts';
import { mobile, rowsOf, silent } from './support.ts';

const HOUR_MS = 3_600_000;

let servers: Awaited<ReturnType<typeof testServers>>;
let mongo: Mongo;
let store: Store;
before(async () => {
  servers = await testServers(['mongo']);
  mongo = await connectMongo({
    url: servers.mongoUrl,
    database: servers.mongoDatabase,
    name: 'test',
    log: silent,
  });
  store = storeOf(mongo.db);
  await placeRows(store, { table: 't', source: givenRows([{ phone: `+${mobile(1)}` }]) });
});
after(async () => {
  await mongo.close();
  await servers.stop();
});

describe('an import that dies', () => {
  it('by kill -9 leaves the table as it was; its chunks go later', async () => {
    const before = await store.tables.findOne({ _id: 't' });
    const fixture = fileURLToPath(new URL('fixtures/endless-import.ts', import.meta.url));
    const child = spawn(process.execPath, [...TYPESCRIPT, fixture, servers.mongoUrl, servers.mongoDatabase], {
      stdio: 'inherit',
    });
    const exited = once(child, 'exit');
    while ((await store.sourceChunks.countDocuments({ table: 't' })) < 20) {
      assert.equal(child.exitCode, null);
      await new Promise(setImmediate);
    }
    child.kill('SIGKILL');
    await exited;

    assert.deepEqual(await store.tables.findOne({ _id: 't' }), before);
    assert.equal((await rowsOf(store, 't')).length, 1);
    const status = (await store.imports.findOne({ source: 'endless' }))!;
    assert.equal(importView(status, Date.now()).state, 'running');
    assert.equal(importView(status, Date.now() + 120_000).state, 'lost');

    const now = Date.now();
    // While it might still be alive, then while a frozen partition might still come.
    assert.deepEqual(await removeOrphans(store, { now }), { waiting: 0, removed: 0, chunks: 0 });
    assert.deepEqual(await removeOrphans(store, { now: now + HOUR_MS }), {
      waiting: 1,
      removed: 0,
      chunks: 0,
    });
    const swept = await removeOrphans(store, { now: now + 2 * HOUR_MS + 1 });
    assert.equal(swept.removed, 1);
    assert.ok(swept.chunks >= 20);
    assert.equal(await store.sourceChunks.countDocuments({ table: 't' }), 1);
    assert.equal(await store.orphanedChunks.countDocuments({}), 0);
  });

  it('was frozen, and wakes up when it has been given up: it cannot commit', async () => {
    let release: () => void = () => {};
    const frozen = new Promise<void>((resolve) => {
      release = resolve;
    });
    let reached: () => void = () => {};
    const atRest = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const row = (n: number) => ({
      columns: ['phone'],
      phoneAt: 0,
      rows: [[`+${mobile(n)}`]],
      lines: [n],
      badLines: [],
    });
    const source: RowSource = {
      label: 'frozen',
      reading: '',
      sha256: () => 'x',
      async *batches() {
        yield row(2);
        reached();
        await frozen;
        yield row(3);
      },
    };
    // Into a table of its own: with chunks that a sweep can see.
    const importing = placeRows(store, { table: 't', source, importId: 'FROZEN' });
    importing.catch(() => {});
    await atRest;
    const chunk = (await store.sourceChunks.findOne({ table: 't' }))!;
    await store.sourceChunks.insertOne({
      ...chunk,
      _id: chunk._id.replace(/[^.]+\.\d+\.\d+$/, 'FROZEN.0.9'),
    });
    await removeOrphans(store, { now: Date.now() + HOUR_MS });
    release();
    await assert.rejects(importing, /given up/);
    assert.equal((await rowsOf(store, 't')).length, 1);
    assert.equal((await store.imports.findOne({ _id: 'FROZEN' }))?.state, 'abandoned');
  });
});
