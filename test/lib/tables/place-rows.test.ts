import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RefusedError } from '../../../contracts/errors.ts';
import { bucketOf, hashMsisdn } from '../../../lib/phone/bucket.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { placeRows } from '../../../lib/tables/place-rows.ts';
import { csvSource } from '../../../lib/tables/sources/csv-source.ts';
import { givenRows } from '../../../lib/tables/sources/given-rows.ts';
import { chunkIdsOf, mobile, octets, rowsOf, testStore } from './support.ts';

let store: Store & AsyncDisposable;
before(async () => {
  store = await testStore();
});
after(() => store[Symbol.asyncDispose]());

const csv = (content: string | Buffer, options = {}) => csvSource(octets(content), options);

describe('placeRows', () => {
  it('places every row in the bucket of its number, with its variables', async () => {
    const lines = Array.from({ length: 30_000 }, (_, n) => `+${mobile(n)},Name ${n}`);
    const report = await placeRows(store, {
      table: 'people',
      source: csv(`phone,name\n${lines.join('\n')}`),
    });
    assert.equal(report.rows, 30_000);
    assert.deepEqual(report.columns, ['name']);
    assert.equal(report.findingsTotal, 0);

    const table = (await store.tables.findOne({ _id: 'people' }))!;
    assert.equal(table.rows, 30_000);
    assert.equal(table.bucketBits, 3);
    assert.equal(table.chunks, await store.sourceChunks.countDocuments({ table: 'people' }));
    for (const id of chunkIdsOf(table)) {
      const chunk = (await store.sourceChunks.findOne({ _id: id }))!;
      const bucket = Number(id.split('.')[3]);
      assert.ok(chunk.size <= 500);
      for (const phone of chunk.phones.split('\n')) assert.equal(bucketOf(hashMsisdn(phone), 3), bucket);
    }
    const rows = await rowsOf(store, 'people');
    assert.equal(rows.length, 30_000);
    const names = new Map(rows.map(({ phone, name }) => [phone, name]));
    for (let n = 0; n < 30_000; n += 997) assert.equal(names.get(mobile(n)), `Name ${n}`);
  });

  it('keeps a row whose number is not valid, and reports it with line, column and reason', async () => {
    const content = 'name,手机号\n"A\nB",07911 123456\nC,oops\nD,\n\nE,+447911123457';
    const report = await placeRows(store, { table: 'bad', source: csv(content), defaultCountry: 'GB' });
    assert.equal(report.rows, 4);
    assert.equal(report.invalidNumbers, 2);
    assert.equal(report.badLines, 0);
    assert.deepEqual(
      report.findings.map(({ line, column, value, code }) => ({ line, column, value, code })),
      [
        { line: 4, column: '手机号', value: 'oops', code: 'NOT_A_NUMBER' },
        { line: 5, column: '手机号', value: '', code: 'EMPTY' },
      ],
    );
    assert.deepEqual(await rowsOf(store, 'bad'), [
      { phone: '447911123456', name: 'A\nB' },
      { phone: '!NOT_A_NUMBER oops', name: 'C' },
      { phone: '!EMPTY ', name: 'D' },
      { phone: '447911123457', name: 'E' },
    ]);
  });

  it('imports the same content once, unless it is read another way', async () => {
    const content = `phone,name\n07911123456,A\n`;
    const first = await placeRows(store, { table: 'twice', source: csv(content) });
    assert.equal(first.invalidNumbers, 1);
    const second = await placeRows(store, { table: 'twice', source: csv(content) });
    assert.equal(second.rows, 0);
    assert.equal(second.duplicateOf, first.importId);
    const third = await placeRows(store, { table: 'twice', source: csv(content), defaultCountry: 'GB' });
    assert.equal(third.duplicateOf, undefined);
    assert.equal((await rowsOf(store, 'twice')).length, 2);
    assert.equal(await store.sourceChunks.countDocuments({ table: 'twice' }), 2);
  });

  it('appends rows given in a message', async () => {
    await placeRows(store, {
      table: 'grows',
      source: givenRows([{ phone: `+${mobile(1)}`, variables: { a: '1' } }]),
    });
    await placeRows(store, {
      table: 'grows',
      source: givenRows([{ phone: `+${mobile(2)}`, variables: { b: '2' } }]),
    });
    assert.deepEqual(await rowsOf(store, 'grows'), [
      { phone: mobile(1), a: '1' },
      { phone: mobile(2), b: '2' },
    ]);
    assert.deepEqual((await store.tables.findOne({ _id: 'grows' }))?.columns, ['a', 'b']);
  });

  it('lets several importers at once all in, also those that first make the table', async () => {
    const contents = [40, 3_000, 18_000].map((count, k) => {
      const lines = Array.from({ length: count }, (_, n) => `+${mobile(k * 100_000 + n)},${k}`);
      return `phone,from\n${lines.join('\n')}`;
    });
    // Twice each: one of the two finds itself a duplicate.
    const reports = await Promise.all(
      [...contents, ...contents].map((content) => placeRows(store, { table: 'crowd', source: csv(content) })),
    );
    assert.equal(reports.filter(({ duplicateOf }) => duplicateOf !== undefined).length, 3);
    const table = (await store.tables.findOne({ _id: 'crowd' }))!;
    assert.equal(table.rows, 21_040);
    assert.equal(table.imports.length, 3);
    const rows = await rowsOf(store, 'crowd');
    assert.equal(new Set(rows.map(({ phone }) => phone)).size, 21_040);
    assert.equal(await store.sourceChunks.countDocuments({ table: 'crowd' }), table.chunks);
  });

  it('refuses a default country that is none', async () => {
    const source = csv('phone\n+447911123456');
    await assert.rejects(placeRows(store, { table: 'xx', source, defaultCountry: 'XX' }), (error) => {
      assert.ok(error instanceof RefusedError);
      assert.equal(error.body.errors[0]?.field, 'defaultCountry');
      return true;
    });
  });

  it('refuses rows for a table that belongs to a batch', async () => {
    await placeRows(store, { table: 'own', source: csv('phone\n+447911123456'), ownedBy: 'b1' });
    await assert.rejects(
      placeRows(store, { table: 'own', source: csv('phone\n+447911123457') }),
      RefusedError,
    );
    assert.equal((await store.tables.findOne({ _id: 'own' }))?.rows, 1);
  });
});
