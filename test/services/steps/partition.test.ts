import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { RecipientFilter } from '../../../contracts/commands.ts';
import { chunkId } from '../../../contracts/ids.ts';
import { noReceipts } from '../../../contracts/outcomes.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import { joinColumn, splitColumn } from '../../../lib/store/columns.ts';
import { countStatuses } from '../../../lib/store/outcome-columns.ts';
import { partitionStep } from '../../../services/steps/partition/step.ts';
import type { Step, StepContext } from '../../../services/steps/step.ts';
import { lifeOf, mobile, people, type Rig, testRig } from './support.ts';

let rig: Rig;
before(async () => {
  rig = await testRig();
  await rig.serve();
});
after(() => rig[Symbol.asyncDispose]());

const final = { phase: null, status: 'Succeeded' } as const;

/** What a batch will send: text by number, of those that are pending. */
async function textsOf(batch: BatchDocument): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for await (const message of rig.store.messageChunks.find({ batchId: batch._id })) {
    const list = splitColumn(message.texts, message.sameText ? 1 : message.size);
    splitColumn(message.phones, message.size).forEach((phone, i) => {
      if (message.encodings[i] !== '-') texts.set(phone, list[message.sameText ? 0 : i]!);
    });
  }
  return texts;
}

describe('partition of a table', () => {
  it('is done once: what is appended, or asked again, changes nothing', async () => {
    await rig.table('t1', people(100));
    const batch = await rig.batch('t1', { tableStorageName: 't1' });
    const { size } = await rig.prepare(batch);
    assert.deepEqual(size, { total: 100, chunks: 1, tasks: 1 });
    await rig.table('t1', people(150));
    const again = await rig.run(batch, 'partition', 0, { epoch: 2 });
    assert.deepEqual(again.body.result, size);
  });

  it('that is not there fails', async () => {
    const { verb, body } = await rig.run(await rig.batch('t2', { tableStorageName: 'nowhere' }), 'partition');
    assert.equal(verb, 'step-failed');
    assert.equal(body.code, 'invalid');
  });

  it('by two holders at once makes one partition', async () => {
    await rig.table('t3', people(100));
    const batch = await rig.batch('t3', { tableStorageName: 't3' });
    const task = (await rig.issue(batch, 'other')) && (await rig.store.tasks.findOne({ batchId: 't3' }))!;
    const context = {
      task,
      batch,
      store: rig.store,
      signal: new AbortController().signal,
      guard: async () => 'go',
    } as unknown as StepContext;
    const outcomes = await Promise.all([1, 2, 3].map(() => partitionStep.run(context)));
    for (const outcome of outcomes) assert.deepEqual(outcome, outcomes[0]);
    assert.equal(await rig.store.partitions.countDocuments({ batchId: 't3' }), 1);
  });
});

describe('inline recipients', () => {
  it('become a private table, with their variables', async () => {
    const batch = await rig.batch('i1', { content: 'Dear {{name}}' });
    await rig.store.inlineRecipients.insertOne({
      _id: lifeOf(batch),
      recipients: [...people(3, (n) => ({ name: `N ${n}` })), { phone: 'oops' }, { phone: `+${mobile(0)}` }],
    });
    const { size, prepared } = await rig.prepare(batch);
    assert.equal(size.total, 5);
    assert.deepEqual({ ...prepared[0]!.counts }, { ...countStatuses('pppdi') });
    assert.equal((await textsOf(batch)).get(mobile(1)), 'Dear N 1');
    assert.equal((await rig.store.tables.findOne({ _id: lifeOf(batch) }))?.ownedBy, lifeOf(batch));
  });

  it('none at all fail', async () => {
    const { body } = await rig.run(await rig.batch('i2', {}), 'partition');
    assert.equal(body.code, 'no-recipients');
  });
});

describe('a plain MongoDB collection', () => {
  it('becomes a private table; lists and objects in it are nobody’s variables', async () => {
    const rows = people(30).map(({ phone }, n) => ({
      mobile: phone,
      name: `N ${n}`,
      tags: ['a'],
      more: { x: 1 },
    }));
    await rig.store.db.collection('crm').insertMany(rows);
    const batch = await rig.batch('f1', { tableStorageName: 'crm', content: 'Dear {{name}}' });
    const { size } = await rig.prepare(batch);
    assert.equal(size.total, 30);
    assert.equal((await textsOf(batch)).get(mobile(7)), 'Dear N 7');
  });

  it('that is one of our own, or has no phone numbers, is refused', async () => {
    for (const [name, id] of [
      ['batches', 'f2'],
      ['nothing', 'f3'],
    ] as const) {
      await rig.store.db.collection('nothing').insertOne({ name: 'x' });
      const { verb, body } = await rig.run(await rig.batch(id, { tableStorageName: name }), 'partition');
      assert.equal(verb, 'step-failed', name);
      assert.equal(body.code, 'invalid');
    }
  });
});

/** Sets what became of the first recipients of a chunk, in the order of its rows. */
async function settle(
  batch: BatchDocument,
  index: number,
  statuses: string,
  codes: string[] = [],
): Promise<void> {
  const _id = chunkId(batch._id, batch.incarnation, index);
  const outcome = (await rig.store.outcomes.findOne({ _id }))!;
  const all = statuses + outcome.statuses.slice(statuses.length);
  const padded = Array.from({ length: outcome.size }, (_, i) => codes[i] ?? '');
  await rig.store.outcomes.updateOne(
    { _id },
    { $set: { statuses: all, counts: countStatuses(all), codes: joinColumn(padded) } },
  );
}

describe('a child batch', () => {
  const child = (id: string, parent: BatchDocument, filter: RecipientFilter, content = 'Again {{name}}') =>
    rig.batch(
      id,
      { ...parent.definition, content },
      {
        parent: { batchId: parent._id, incarnation: parent.incarnation, filter },
      },
    );

  async function parentOf(id: string, state: BatchDocument['state'] = final): Promise<BatchDocument> {
    const rows = people(1_200, (n) => ({ name: `N ${n}` }));
    await rig.table(`table-${id}`, rows);
    const parent = await rig.batch(id, { tableStorageName: `table-${id}`, content: 'Dear {{name}}' });
    await rig.prepare(parent);
    return rig.batch(id, parent.definition, { state });
  }

  it('takes the rows that its filter names, each with its columns, whatever the other tasks do', async () => {
    const parent = await parentOf('p1');
    await settle(parent, 0, 'rrraau', ['0x0000000B', '0x00000058', '0x0000000B', '', '', '']);
    await settle(parent, 1, 'ar', ['', '0x0000000B']);
    const batch = await child('c1', parent, { outcomes: ['rejected'], codes: ['0x0000000B'] });
    const { size } = await rig.prepare(batch);
    assert.equal(size.total, 3);
    assert.equal(size.chunks, 3);
    const chosen: string[] = [];
    for (const [index, positions] of [
      [0, [0, 2]],
      [1, [1]],
    ] as const) {
      const message = (await rig.store.messageChunks.findOne({ _id: chunkId('p1', 'l1', index) }))!;
      const phones = splitColumn(message.phones, message.size);
      for (const position of positions) chosen.push(phones[position]!);
    }
    const texts = await textsOf(batch);
    assert.deepEqual([...texts.keys()].sort(), chosen.sort());
    for (const [phone, text] of texts) {
      assert.equal(text, `Again N ${Number(phone.slice(4)) - 11_000_000}`);
    }
  });

  it('sees late answers and receipts as every reader does', async () => {
    const parent = await parentOf('p2');
    await settle(parent, 0, 'uuu');
    await rig.store.receipts.insertOne({
      _id: chunkId('p2', 'l1', 0),
      batchId: 'p2',
      index: 0,
      size: 500,
      version: 1,
      states: '.'.repeat(500),
      errors: '',
      times: '',
      timesFromMs: 0,
      lateAnswers: [{ position: 1, outcome: 'accepted', messageId: 'x', atMs: 1 }],
      counts: noReceipts(),
    });
    const { size } = await rig.prepare(await child('c2', parent, { outcomes: ['unknown'] }));
    assert.equal(size.total, 2);
  });

  it('takes pending ones only from a parent that has ended, those that were never prepared among them', async () => {
    const running = await parentOf('p3', { phase: 'delivery', status: 'Running' });
    const early = await rig.run(await child('c3', running, { outcomes: ['pending'] }), 'partition');
    assert.equal(early.body.code, 'parent-not-final');
    const byCode = await rig.run(await child('c4', running, { codes: ['0x00000058'] }), 'partition');
    assert.equal(byCode.body.code, 'no-recipients');

    const ended = await rig.batch('p3', running.definition, { state: { phase: null, status: 'Aborted' } });
    await settle(ended, 0, 'aa');
    const last = chunkId('p3', 'l1', 2);
    await rig.store.outcomes.deleteOne({ _id: last });
    await rig.store.messageChunks.deleteOne({ _id: last });
    const { size } = await rig.prepare(await child('c5', ended, { outcomes: ['pending'] }));
    assert.equal(size.total, 1_198);
  });

  it('that has no recipients, or whose parent was deleted, fails', async () => {
    const parent = await parentOf('p4');
    const none = await rig.run(await child('c6', parent, { outcomes: ['suppressed'] }), 'partition');
    assert.equal(none.body.code, 'no-recipients');
    await rig.batch('p4', parent.definition, { state: final, deletedAt: 1 });
    const gone = await rig.run(await child('c7', parent, { outcomes: ['pending'] }), 'partition');
    assert.equal(gone.body.code, 'parent-gone');
  });

  it('held halfway and begun again has each recipient once, even if the parent moves meanwhile', async () => {
    const rows = people(12_000, (n) => ({ name: `N ${n}` }));
    await rig.table('big', rows);
    const parent = await rig.batch('p5', { tableStorageName: 'big', content: 'Dear {{name}}' });
    const { size } = await rig.prepare(parent);
    await rig.batch('p5', parent.definition, { state: final });
    const batch = await child('c8', parent, { outcomes: ['pending'] });
    let guards = 0;
    const halting: Step = {
      ...partitionStep,
      type: 'partition',
      run: (context) =>
        partitionStep.run({
          ...context,
          guard: async (changes) => {
            // The chunks are written, the cursor is not: what a crash leaves.
            if (++guards === 1) throw new Error('crash');
            return context.guard(changes);
          },
        }),
    };
    const task = await rig.issue(batch, 'probe');
    const document = (await rig.store.tasks.findOne({ batchId: 'c8', step: 'probe' }))!;
    const context = {
      task: document,
      message: task,
      batch,
      store: rig.store,
      signal: new AbortController().signal,
      guard: async () => 'go',
    } as unknown as StepContext;
    await assert.rejects(halting.run(context), /crash/);
    // Receipts move two recipients out of the filter: their chunk was made already, and stands.
    await settle(parent, 0, 'aa');
    const outcome = await partitionStep.run(context);
    assert.deepEqual(outcome, {
      kind: 'done',
      result: { total: 12_000, chunks: size.chunks, tasks: size.tasks },
    });
  });

  it('of a child, and a dry run of one, come from where they came from', async () => {
    const parent = await parentOf('p6');
    await settle(parent, 0, 'rrr');
    const first = await child('c9', parent, { outcomes: ['rejected'] });
    const dry = await rig.batch('d9', first.definition, {
      dryRun: true,
      parent: { batchId: 'c9', incarnation: 'l1', filter: { outcomes: ['rejected'] } },
    });
    assert.equal((await rig.prepare(dry)).size.total, 3);
    await rig.prepare(first);
    await rig.batch('c9', first.definition, { state: final, ...(first.parent && { parent: first.parent }) });
    await settle(first, 0, 'ra');
    const second = await child('c10', first, { outcomes: ['rejected'] });
    assert.equal((await rig.prepare(second)).size.total, 1);
  });
});
