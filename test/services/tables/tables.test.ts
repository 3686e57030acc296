import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Objm } from '@nats-io/obj';
import { Registry } from 'prom-client';
import type { ErrorBody } from '../../../contracts/errors.ts';
import type { ImportReport, TableGetAnswer, TableListAnswer } from '../../../contracts/tables.ts';
import type { Part } from '../../../lib/lifecycle/part.ts';
import { connectMongo, type Mongo } from '../../../lib/mongo/connect.ts';
import { connectNats, type Nats } from '../../../lib/nats/connect.ts';
import { request, ServiceError } from '../../../lib/nats/request.ts';
import { type Store, storeOf } from '../../../lib/store/collections.ts';
import { startTables } from '../../../services/tables/component.ts';
import { mobile, rowsOf, silent, tempFolder } from '../../lib/tables/support.ts';
import { testServers } from '../../support/servers.ts';

let servers: Awaited<ReturnType<typeof testServers>>;
let mongo: Mongo;
let nats: Nats;
let store: Store;
let service: Part;
let folder: Awaited<ReturnType<typeof tempFolder>>;

before(async () => {
  servers = await testServers(['nats', 'mongo']);
  mongo = await connectMongo({
    url: servers.mongoUrl,
    database: servers.mongoDatabase,
    name: 'test',
    log: silent,
  });
  nats = await connectNats({ url: servers.natsUrl, name: 'test', log: silent });
  store = storeOf(mongo.db);
  folder = await tempFolder();
  // Somebody's own, with other settings: it is taken as it is.
  await new Objm(nats.js).create('SMS_UPLOADS', { ttl: 3_600_000_000_000 });
  service = tables();
  await service.start();
});
after(async () => {
  await service.stop();
  await folder[Symbol.asyncDispose]();
  await nats.close();
  await mongo.close();
  await servers.stop();
});

const tables = () =>
  startTables({
    nats,
    store,
    config: { TABLE_IMPORT_DIRS: [folder.path], NATS_REPLICAS: 1 },
    registry: new Registry(),
    log: silent,
    version: '0.0.1',
  });

const ask = <T>(verb: string, body: object) =>
  request<T>(nats.nc, `sms.api.table.${verb}`, body, { deadlineMs: 20_000 });

async function refusal(asking: Promise<unknown>): Promise<ErrorBody> {
  try {
    await asking;
  } catch (error) {
    assert.ok(error instanceof ServiceError, String(error));
    return error.body as ErrorBody;
  }
  assert.fail('it was not refused');
}

const csv = (from: number, count: number) =>
  `phone,name\n${Array.from({ length: count }, (_, i) => `+${mobile(from + i)},N${from + i}\n`).join('')}`;

async function put(name: string, content: string | Buffer): Promise<void> {
  const uploads = await new Objm(nats.js).open('SMS_UPLOADS');
  await uploads.putBlob({ name, options: { max_chunk_size: 4_096 } }, Buffer.from(content));
}

describe('table.import', () => {
  it('takes a file under the allowed folders, waited for', async () => {
    await folder.write('people.csv', csv(0, 50));
    const source = { kind: 'file', path: 'people.csv' };
    const report = await ask<ImportReport>('import', { table: 'files', source, wait: true });
    assert.equal(report.rows, 50);
    const again = await ask<ImportReport>('import', { table: 'files', source, wait: true });
    assert.equal(again.duplicateOf, report.importId);
    const outside = { kind: 'file', path: '/etc/passwd' };
    const refused = await refusal(ask('import', { table: 'files', source: outside, wait: true }));
    assert.match(refused.message, /not imported/);
    assert.equal(refused.errors[0]!.field, 'source/path');
  });

  it('takes an uploaded object, packed, of many pieces, and answers at once with what table.get follows', async () => {
    await put('people.csv.gz', gzipSync(csv(0, 20_000)));
    const source = { kind: 'object', name: 'people.csv.gz' };
    const begun = await ask<{ importId: string; state: string }>('import', { table: 'objects', source });
    assert.equal(begun.state, 'running');
    let answer: TableGetAnswer;
    do {
      answer = await ask<TableGetAnswer>('get', { table: 'objects', importId: begun.importId });
      assert.equal(answer.imports.length, 1);
    } while (answer.imports[0]!.state === 'running');
    assert.equal(answer.imports[0]!.state, 'done', JSON.stringify(answer));
    assert.equal(answer.imports[0]!.report!.rows, 20_000);
    assert.equal(answer.table!.rows, 20_000);
    // The consumers that read it are gone.
    const stream = await nats.jsm.streams.info('OBJ_SMS_UPLOADS');
    assert.equal(stream.state.consumer_count, 0);
  });

  it('takes NDJSON', async () => {
    await put('people.ndjson', `{"msisdn":"+${mobile(1)}","姓名":"王"}\n`);
    const source = { kind: 'object', name: 'people.ndjson' };
    await ask('import', { table: 'ndjson', source, wait: true });
    assert.deepEqual(await rowsOf(store, 'ndjson'), [{ phone: mobile(1), 姓名: '王' }]);
  });

  it('takes a collection that others fill, in the order of its ids', async () => {
    await store.db.collection('customers').insertMany(
      Array.from({ length: 1_200 }, (_, n) => ({
        mobile: `+${mobile(n)}`,
        address: { city: '北京' },
        name: `N${n}`,
        since: new Date(0),
      })),
    );
    const source = {
      kind: 'collection',
      collection: 'customers',
      fields: { city: 'address.city', name: 'name' },
    };
    const withPhone = { ...source, phoneField: 'mobile' };
    const report = await ask<ImportReport>('import', { table: 'people', source: withPhone, wait: true });
    assert.equal(report.rows, 1_200);
    assert.deepEqual(report.columns, ['city', 'name']);
    assert.deepEqual((await rowsOf(store, 'people'))[0], { phone: mobile(0), city: '北京', name: 'N0' });
    const again = await ask<ImportReport>('import', { table: 'people', source: withPhone, wait: true });
    assert.equal(again.duplicateOf, report.importId);
    const own = { kind: 'collection', collection: 'batches' };
    assert.match((await refusal(ask('import', { table: 'x', source: own }))).message, /no recipients/);
  });

  it('says what is wrong with the request, each by its own kind', async () => {
    const lacking = await refusal(ask('import', { table: 'x', source: { kind: 'object' } }));
    assert.deepEqual(
      lacking.errors.map(({ field }) => field),
      ['source/name'],
    );
    const absent = await refusal(ask('import', { table: 'x', source: { kind: 'object', name: 'nope.csv' } }));
    assert.equal(absent.code, 'not-found');
    assert.match(absent.errors[0]!.expected, /people/);
    const many = await refusal(
      ask('import', { table: 'a b', source: { kind: 'ftp' }, format: 'xls', more: 1 }),
    );
    assert.deepEqual(many.errors.map(({ field }) => field).sort(), [
      'format',
      'more',
      'source/kind',
      'table',
    ]);
  });

  it('of a file that cannot be read fails with the reason, waited for or not', async () => {
    await put('bad.csv', 'id,name\n1,A\n');
    const source = { kind: 'object', name: 'bad.csv' };
    const refused = await refusal(ask('import', { table: 'bad', source, wait: true }));
    assert.equal(refused.code, 'invalid');
    assert.match(refused.message, /no phone column/);
    const { importId } = await ask<{ importId: string }>('import', { table: 'bad', source });
    let answer: TableGetAnswer;
    do answer = await ask<TableGetAnswer>('get', { table: 'bad', importId });
    while (answer.imports[0]!.state === 'running');
    assert.equal(answer.table, null);
    assert.match((answer.imports[0]!.error as ErrorBody).message, /no phone column/);
  });
});

describe('table.append, get, list, delete', () => {
  it('appends rows by message; a row that is no number is reported', async () => {
    const rows = [{ phone: '07911 123456', variables: { name: 'A' } }, { phone: 'x' }];
    const report = await ask<ImportReport>('append', { table: 'appended', rows, defaultCountry: 'GB' });
    assert.equal(report.rows, 2);
    assert.equal(report.invalidNumbers, 1);
    assert.equal(report.findings[0]!.line, 2);
    const answer = await ask<TableGetAnswer>('get', { table: 'appended' });
    assert.equal(answer.table!.rows, 2);
    assert.equal(answer.table!.invalidNumbers, 1);
    assert.deepEqual(answer.imports[0]!.report!.findings, []);
  });

  it('many appends are placed anew as they go', async () => {
    for (let n = 0; n < 40; n++)
      await ask('append', { table: 'dripping', rows: [{ phone: `+${mobile(n)}` }] });
    const { table } = await ask<TableGetAnswer>('get', { table: 'dripping' });
    assert.equal(table!.rows, 40);
    assert.ok(table!.chunks <= 32, `${table!.chunks} chunks`);
    assert.equal((await rowsOf(store, 'dripping')).length, 40);
  });

  it('lists by name, a page at a time, without the tables of batches', async () => {
    for (const name of ['l_a', 'l_b', 'l_c'])
      await ask('append', { table: name, rows: [{ phone: `+${mobile(1)}` }] });
    await store.tables.updateOne({ _id: 'l_b' }, { $set: { ownedBy: 'b.1' } });
    await ask('append', { table: 'l_d', rows: [{ phone: `+${mobile(1)}` }] });
    const first = await ask<TableListAnswer>('list', { prefix: 'l_', limit: 2 });
    assert.deepEqual(
      first.tables.map(({ table }) => table),
      ['l_a', 'l_c'],
    );
    const second = await ask<TableListAnswer>('list', { prefix: 'l_', limit: 2, cursor: first.nextCursor });
    assert.deepEqual(
      second.tables.map(({ table }) => table),
      ['l_d'],
    );
    assert.equal(second.nextCursor, undefined);
  });

  it('deletes a table, once', async () => {
    await ask('append', { table: 'brief', rows: [{ phone: `+${mobile(1)}` }] });
    assert.deepEqual(await ask('delete', { table: 'brief' }), { table: 'brief', rows: 1 });
    assert.equal((await refusal(ask('delete', { table: 'brief' }))).code, 'not-found');
    assert.equal((await refusal(ask('delete', { table: 'l_b' }))).code, 'already-exists');
  });
});

describe('stop', () => {
  it('ends the imports that run: the table is as it was, and says why', async () => {
    await ask('append', { table: 'stopped', rows: [{ phone: `+${mobile(1)}` }] });
    await put('large.csv', csv(0, 150_000));
    const source = { kind: 'object', name: 'large.csv' };
    const { importId } = await ask<{ importId: string }>('import', { table: 'stopped', source });
    while ((await store.sourceChunks.countDocuments({ table: 'stopped' })) < 10)
      await new Promise(setImmediate);
    await service.stop();
    const status = await store.imports.findOne({ _id: importId });
    assert.equal(status?.state, 'failed');
    assert.match(status?.error?.message ?? '', /service stopped/);
    assert.equal((await rowsOf(store, 'stopped')).length, 1);
    assert.equal(await store.sourceChunks.countDocuments({ table: 'stopped' }), 1);
    service = tables();
    await service.start();
    assert.equal((await ask<TableGetAnswer>('get', { table: 'stopped' })).table?.rows, 1);
  });
});
