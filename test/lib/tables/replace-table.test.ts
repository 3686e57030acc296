import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Store } from '../../../lib/store/collections.ts';
import { bucketBitsFor, hasOutgrown } from '../../../lib/tables/bucket-bits.ts';
import { deleteTable } from '../../../lib/tables/delete-table.ts';
import { freeze } from '../../../lib/tables/freeze.ts';
import { sourceChunkAt } from '../../../lib/tables/partition-layout.ts';
import { placeRows } from '../../../lib/tables/place-rows.ts';
import { removeOrphans } from '../../../lib/tables/remove-orphans.ts';
import { replaceIfOutgrown } from '../../../lib/tables/replace-table.ts';
import { csvSource } from '../../../lib/tables/sources/csv-source.ts';
import { givenRows } from '../../../lib/tables/sources/given-rows.ts';
import { mobile, octets, rowsOf, testStore } from './support.ts';

const HOUR_MS = 3_600_000;

let store: Store & AsyncDisposable;
before(async () => {
  store = await testStore();
});
after(() => store[Symbol.asyncDispose]());

const append = (table: string, from: number, count: number) =>
  placeRows(store, {
    table,
    source: givenRows(
      Array.from({ length: count }, (_, i) => ({
        phone: i % 10 === 9 ? `bad ${from + i}` : `+${mobile(from + i)}`,
        variables: { n: String(from + i), ...(from > 0 && { late: 'yes' }) },
      })),
    ),
  });
const content = async (table: string) =>
  (await rowsOf(store, table)).map((row) => `${row.phone} ${row.n}`).sort();

describe('replaceIfOutgrown', () => {
  it('places many small appends anew, without losing, doubling or changing a row', async () => {
    for (let k = 0; k < 12; k++) await append('small', k * 20, 20);
    const before = (await store.tables.findOne({ _id: 'small' }))!;
    const rows = await content('small');
    assert.equal(before.chunks, 12);
    assert.ok(hasOutgrown(before));

    assert.equal(await replaceIfOutgrown(store, 'small'), true);
    const after = (await store.tables.findOne({ _id: 'small' }))!;
    assert.equal(after.chunks, 1);
    assert.equal(after.rows, 240);
    assert.ok(after.generation > before.generation);
    assert.deepEqual(await content('small'), rows);
    // In the order in which they came: the first of two duplicates stays the first.
    assert.equal((await rowsOf(store, 'small'))[0]!.n, '0');
    assert.equal(await replaceIfOutgrown(store, 'small'), false);

    // What was imported before is still known, and what comes later is placed as ever.
    assert.ok((await append('small', 0, 20)).duplicateOf);
    await append('small', 240, 20);
    assert.equal((await content('small')).length, 260);
  });

  it('gives a table that has grown the buckets it needs', async () => {
    await append('grown', 0, 1);
    const lines = Array.from({ length: 45_000 }, (_, n) => `+${mobile(1_000 + n)},${n}`);
    await placeRows(store, { table: 'grown', source: csvSource(octets(`phone,n\n${lines.join('\n')}`)) });
    assert.equal((await store.tables.findOne({ _id: 'grown' }))?.bucketBits, 0);
    assert.equal(await replaceIfOutgrown(store, 'grown'), true);
    const frozen = await freeze(store, 'grown');
    assert.equal(frozen.bucketBits, 4);
    assert.equal(frozen.total, 45_001);
    assert.ok(frozen.taskStarts.length >= 7);
    let rows = 0;
    for (let index = 0; index < frozen.chunks; index++) {
      rows += (await store.sourceChunks.findOne({ _id: sourceChunkAt(frozen, index).id }))!.size;
    }
    assert.equal(rows, 45_001);
  });

  it('lets a table of some size, made by appends, spread over eight workers', async () => {
    await append('spread', 0, 1);
    const lines = Array.from({ length: 17_000 }, (_, n) => `+${mobile(1_000 + n)},${n}`);
    await placeRows(store, { table: 'spread', source: csvSource(octets(`phone,n\n${lines.join('\n')}`)) });
    assert.equal((await freeze(store, 'spread')).taskStarts.length, 1);
    assert.equal(await replaceIfOutgrown(store, 'spread'), true);
    const { taskStarts, total } = await freeze(store, 'spread');
    assert.deepEqual([taskStarts.length, total], [8, 17_001]);
  });

  it('has few occasions: a table that grows row by row is placed anew three times on its way to eight buckets', () => {
    const table = { rows: 0, chunks: 0, bucketBits: 0 };
    const placedAnew: number[] = [];
    for (table.rows = 1; table.rows <= 300_000; table.rows += 1) {
      if (!hasOutgrown(table)) continue;
      placedAnew.push(table.rows);
      table.bucketBits = Math.max(table.bucketBits, bucketBitsFor(table.rows));
    }
    assert.deepEqual(placedAnew, [4_000, 8_000, 16_000]);
    assert.ok(hasOutgrown({ ...table, rows: 320_001 }));
  });

  it('while others append: all rows are in it', async () => {
    for (let k = 0; k < 20; k++) await append('busy', k * 10, 10);
    const appending = Promise.all(Array.from({ length: 8 }, (_, k) => append('busy', 200 + k * 10, 10)));
    const replaced = await Promise.all([replaceIfOutgrown(store, 'busy'), replaceIfOutgrown(store, 'busy')]);
    await appending;
    assert.ok(replaced.includes(true));
    const table = (await store.tables.findOne({ _id: 'busy' }))!;
    assert.equal(table.rows, 280);
    const rows = await rowsOf(store, 'busy');
    assert.deepEqual(
      rows.map(({ n }) => Number(n)).sort((a, b) => a - b),
      Array.from({ length: 280 }, (_, n) => n),
    );
  });
});

describe('removeOrphans', () => {
  it('keeps old chunks as long as a partition uses them, and removes those of a deleted table', async () => {
    for (let k = 0; k < 12; k++) await append('kept', k * 20, 20);
    const first = (await store.tables.findOne({ _id: 'kept' }))!;
    const chunks = () => store.sourceChunks.countDocuments({ table: 'kept' });
    const { imports, ...frozen } = await freeze(store, 'small');
    assert.ok(frozen.total > 0);
    await store.partitions.insertOne({
      ...frozen,
      _id: 'b.1',
      batchId: 'b',
      table: 'kept',
      generation: first.generation,
      imports: first.imports.slice(0, 5).map(({ id, chunksByBucket }) => ({ id, chunksByBucket })),
      createdAt: 0,
    });
    await replaceIfOutgrown(store, 'kept');
    assert.equal(await chunks(), 13);
    const sweep = async () => {
      const now = Date.now() + HOUR_MS;
      await removeOrphans(store, { now });
      await removeOrphans(store, { now: now + HOUR_MS + 1 });
    };
    await sweep();
    assert.equal(await chunks(), 6);

    await deleteTable(store, 'kept');
    await sweep();
    assert.equal(await chunks(), 5);
    await store.partitions.deleteOne({ _id: 'b.1' });
    await sweep();
    assert.equal(await chunks(), 0);
    assert.equal((await content('small')).length, 260);
  });

  it('leaves a batch’s own table alone while the batch exists', async () => {
    const source = givenRows([{ phone: `+${mobile(1)}` }]);
    await placeRows(store, { table: 'b2.abc', source, ownedBy: 'b2.abc' });
    await store.tables.deleteOne({ _id: 'b2.abc' });
    await store.batches.insertOne({ _id: 'b2', incarnation: 'abc' } as never);
    const sweeps = async () => {
      await removeOrphans(store, { now: Date.now() + HOUR_MS });
      await removeOrphans(store, { now: Date.now() + 3 * HOUR_MS });
      return store.sourceChunks.countDocuments({ table: 'b2.abc' });
    };
    assert.equal(await sweeps(), 1);
    await store.batches.deleteOne({ _id: 'b2' });
    assert.equal(await sweeps(), 0);
  });
});

describe('deleteTable', () => {
  it('asks for the version, and says what there is', async () => {
    await append('gone', 0, 5);
    await assert.rejects(deleteTable(store, 'gone', { expectedVersion: 7 }), /version-conflict/);
    await deleteTable(store, 'gone', { expectedVersion: 1 });
    await assert.rejects(deleteTable(store, 'gone'), /not-found/);
    await assert.rejects(freeze(store, 'gone'), /not-found/);
    const again = await append('gone', 0, 5);
    assert.equal(again.rows, 5);
  });

  it('ends an import into the table that runs meanwhile', async () => {
    await append('cut', 0, 5);
    const source = {
      ...givenRows([]),
      async *batches() {
        yield { columns: ['phone'], phoneAt: 0, rows: [[`+${mobile(9)}`]], lines: [1], badLines: [] };
        await deleteTable(store, 'cut');
        await append('cut', 50, 5);
      },
    };
    await assert.rejects(placeRows(store, { table: 'cut', source }), /was deleted while the import ran/);
    assert.equal((await content('cut')).length, 5);
  });
});
