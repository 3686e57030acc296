import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { addCounts, noOutcomes, type OutcomeCounts, totalOf } from '../../../contracts/outcomes.ts';
import { splitColumn } from '../../../lib/store/columns.ts';
import { lifeOf, mobile, people, type Rig, testRig } from './support.ts';

let rig: Rig;
before(async () => {
  rig = await testRig();
  await rig.serve();
});
after(() => rig[Symbol.asyncDispose]());

describe('10,000 rows through the steps', () => {
  it('are validated, partitioned, prepared, counted, and accounted for', async () => {
    const { store } = rig;
    const rows = people(9_000, (n) => ({ name: n % 100 === 0 ? '' : `Name ${n}` }));
    // Twins in two more imports, an invalid number, and one that was written in another way.
    await rig.table('people', rows);
    await rig.table(
      'people',
      people(900, () => ({ name: 'Twin' })),
    );
    await rig.table('people', [
      ...people(99, () => ({ name: 'Triplet' })),
      { phone: 'nobody', variables: { name: 'X' } },
    ]);
    await store.db.collection<{ _id: string }>('provider_accounts').insertOne({ _id: 'main' });
    const batch = await rig.batch('whole', {
      tableStorageName: 'people',
      content: 'Dear {{name}}',
      contentSignature: '【品牌】',
    });

    assert.equal((await rig.run(batch, 'validation')).verb, 'step-done');
    const { size, prepared } = await rig.prepare(batch);
    assert.equal(size.total, 10_000);
    assert.equal(size.tasks, prepared.length);
    assert.ok(size.tasks > 1);
    const counts = prepared.map((each) => each.counts as OutcomeCounts).reduce(addCounts, noOutcomes());
    assert.deepEqual(counts, { ...noOutcomes(), pending: 8_910, duplicate: 999, invalid: 91 });

    const outcomes = await store.outcomes.find({ batchId: 'whole' }).toArray();
    const messages = await store.messageChunks.find({ batchId: 'whole' }).toArray();
    assert.equal(outcomes.length, size.chunks);
    assert.equal(messages.length, size.chunks);
    for (const each of outcomes) {
      assert.equal(totalOf(each.counts), each.size);
      assert.equal(each.statuses.length, each.size);
    }
    const texts = new Map<string, string>();
    for (const { phones, texts: joined, encodings, size: rows } of messages) {
      const list = splitColumn(joined, rows);
      splitColumn(phones, rows).forEach((phone, i) => {
        if (encodings[i] === '-') return;
        assert.ok(!texts.has(phone), `${phone} twice`);
        texts.set(phone, list[i]!);
      });
    }
    assert.equal(texts.size, 8_910);
    // The first in frozen order has it: the first import's row.
    assert.equal(texts.get(mobile(7)), '【品牌】Dear Name 7');

    const counted = await rig.run(batch, 'statistics');
    assert.deepEqual(counted.body.result.counts, counts);
    const segments = prepared.reduce((sum, each) => sum + each.segments, 0);
    assert.equal(segments, 8_910);
    assert.equal((await rig.run(batch, 'cleanup')).verb, 'step-done');
    assert.equal(await store.outcomes.countDocuments({ batchId: 'whole' }), size.chunks);
    assert.ok(await store.tables.findOne({ _id: 'people' }), 'a table that others may use stays');
    assert.ok(await store.partitions.findOne({ _id: lifeOf(batch) }));
  });

  it('answers every finding of a definition that does not hold', async () => {
    const batch = await rig.batch('bad', { messageType: 'MMS', tableStorageName: 'nowhere', sender: 'a@b' });
    const { verb, body } = await rig.run(batch, 'validation');
    assert.equal(verb, 'step-failed');
    assert.equal(body.code, 'invalid');
    assert.deepEqual(
      body.errors.map((each: { field: string }) => each.field),
      ['tableStorageName', 'messageType', 'sender'],
    );
  });
});
