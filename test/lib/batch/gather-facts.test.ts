import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { gatherFacts } from '../../../lib/batch/gather-facts.ts';
import { templateFindings } from '../../../lib/batch/template-findings.ts';
import { findingsOf } from '../../../lib/batch/validate-definition.ts';
import { registerStepTypes } from '../../../lib/steps/step-types.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { placeRows } from '../../../lib/tables/place-rows.ts';
import { givenRows } from '../../../lib/tables/sources/given-rows.ts';
import { batchDocument } from '../../services/steps/support.ts';
import { mobile, testStore } from '../tables/support.ts';

let store: Store & AsyncDisposable;
const definition = { name: 'b', content: 'Dear {{name}}', tableStorageName: 'people' };
const checked = { definition, started: false, dryRun: false };

before(async () => {
  store = await testStore();
  const rows = [{ phone: `+${mobile(1)}`, variables: { name: 'Ann', town: 'Bath' } }];
  await placeRows(store, { table: 'people', source: givenRows(rows) });
  await store.db.collection<{ _id: string }>('provider_accounts').insertOne({ _id: 'main' });
});
after(() => store[Symbol.asyncDispose]());

describe('the facts for a check', () => {
  it('of a table: its columns and rows; and the accounts that there are', async () => {
    const facts = await gatherFacts(store, checked, 1);
    assert.deepEqual(facts.table, { columns: ['name', 'town'], rows: 1 });
    assert.equal(facts.collection, null);
    assert.deepEqual(facts.providers, ['main']);
    assert.deepEqual(findingsOf(definition, facts), []);
  });

  it('of a plain collection: the fields of its first documents, the phone number aside', async () => {
    await store.db.collection('crm').insertMany([
      { mobile: '1', name: 'Ann' },
      { mobile: '2', town: 'Bath' },
    ]);
    const crm = { ...definition, tableStorageName: 'crm' };
    const facts = await gatherFacts(store, { ...checked, definition: crm }, 1);
    assert.equal(facts.table, null);
    assert.deepEqual(facts.collection, { columns: ['name', 'town'], rows: 2 });
    assert.deepEqual(findingsOf(crm, facts), []);
  });

  it('of a collection without phone numbers, of one of our own, of nothing: there is a finding', async () => {
    await store.db.collection('notes').insertOne({ text: 'x', name: 'y' });
    for (const name of ['notes', 'batches', 'nowhere']) {
      const named = { ...definition, tableStorageName: name };
      const found = findingsOf(named, await gatherFacts(store, { ...checked, definition: named }, 1));
      assert.deepEqual(
        found.map(({ field }) => field),
        ['tableStorageName'],
        name,
      );
    }
  });

  it('of inline recipients: those that are stored under the life of the batch', async () => {
    await store.inlineRecipients.insertOne({
      _id: 'b.l1',
      recipients: [{ phone: '1', variables: { name: 'x' } }],
    });
    const { tableStorageName: _none, ...inline } = definition;
    const facts = await gatherFacts(store, { ...checked, definition: inline, life: 'b.l1' }, 1);
    assert.equal(facts.inline?.length, 1);
    assert.deepEqual(findingsOf(inline, facts), []);
  });

  it('of a child: its parent’s columns; of a dry run of one: the same', async () => {
    const parent = { batchId: 'p', incarnation: 'l1', filter: { outcomes: ['rejected' as const] } };
    const ask = (more: object) => gatherFacts(store, { ...checked, parent, ...more }, 1);
    const gone = findingsOf(definition, await ask({}));
    assert.deepEqual(
      gone.map(({ field }) => field),
      ['parent'],
    );
    await store.partitions.insertOne({ _id: 'p.l1', columns: ['name'], total: 9 } as never);
    assert.deepEqual((await ask({})).parent, { exists: true, columns: ['name'], rows: 9 });
    await store.batches.insertOne(batchDocument('c', definition, { parent }));
    const ofChild = { dryRun: true, parent: { ...parent, batchId: 'c' } };
    assert.deepEqual((await ask(ofChild)).parent, { exists: true, columns: ['name'], rows: 9 });
  });

  it('of the steps: the built-in ones always, and those that are registered', async () => {
    const before = { ...definition, steps: ['loyalty', 'preparation'] };
    const found = async () =>
      findingsOf(before, await gatherFacts(store, { ...checked, definition: before }, 1));
    assert.equal((await found()).length, 1);
    const loyalty = { _id: 'loyalty', builtIn: false, timeoutMs: 1_000, description: '', updatedAt: 1 };
    // Nothing that is stored changes a built-in step.
    await registerStepTypes(store.db, [loyalty, { ...loyalty, _id: 'delivery' }]);
    assert.deepEqual(await found(), []);
  });

  it('of a template: a table that is named is looked for, one that comes with the run is not', async () => {
    const sample = {
      batchId: 'sample',
      origin: { kind: 'schedule' as const, id: 's', at: '2026-11-25T12:00:00Z' },
    };
    const nowMs = Date.parse(sample.origin.at);
    const { tableStorageName: _none, ...bare } = definition;
    const fieldsOf = async (template: Parameters<typeof templateFindings>[1], table?: string) =>
      (await templateFindings(store, template, { ...sample, table }, nowMs)).map(({ field }) => field);
    assert.deepEqual(await fieldsOf(definition), []);
    assert.deepEqual(await fieldsOf({ ...definition, tableStorageName: 'nowhere' }), ['tableStorageName']);
    assert.deepEqual(await fieldsOf({ ...definition, content: '{{age}}' }), ['content']);
    assert.deepEqual(await fieldsOf({ ...bare, tableStorageName: 'people-${date}' }), []);
    assert.deepEqual(await fieldsOf({ ...bare, upload: 'people-${date}.csv' }), []);
    assert.deepEqual(await fieldsOf(bare, 'from-a-file'), []);
    assert.deepEqual(await fieldsOf({ ...definition, upload: 'x.csv', providers: ['other'] }), [
      'tableStorageName',
      'providers/0',
    ]);
    assert.deepEqual(await fieldsOf({ ...bare, upload: '${dat}.csv', content: '${x}' }), [
      'content',
      'upload',
    ]);
  });
});
