import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { chunkId, taskId } from '../../../contracts/ids.ts';
import { addCounts, noOutcomes, noReceipts, totalOf } from '../../../contracts/outcomes.ts';
import { recountsOf } from '../../../lib/receipts/recount-document.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import type { OutcomeDocument } from '../../../lib/store/chunk-documents.ts';
import { countStatuses } from '../../../lib/store/outcome-columns.ts';
import type { ReportDocument } from '../../../lib/store/report-document.ts';
import { issueTasks } from '../../../lib/tasks/issue.ts';
import { takeTask } from '../../../lib/tasks/take.ts';
import { lifeOf, people, type Rig, testRig } from './support.ts';

let rig: Rig;
before(async () => {
  rig = await testRig();
  await rig.serve();
  await rig.table('people', people(10_000));
});
after(() => rig[Symbol.asyncDispose]());

const prepared = async (id: string): Promise<BatchDocument> => {
  const batch = await rig.batch(id, { tableStorageName: 'people' });
  await rig.prepare(batch);
  return batch;
};

const outcomeOf = (batch: BatchDocument, index: number): Promise<OutcomeDocument | null> =>
  rig.store.outcomes.findOne({ _id: chunkId(batch._id, batch.incarnation, index) });

/** As the sender would write: only under its fence. @returns whether the write was let in */
async function write(
  batch: BatchDocument,
  index: number,
  statuses: string,
  ownerSeq: number,
  segments = 0,
): Promise<boolean> {
  const outcome = (await outcomeOf(batch, index))!;
  const all = statuses + outcome.statuses.slice(statuses.length);
  const written = await rig.store.outcomes.updateOne(
    { _id: outcome._id, ownerSeq: { $lte: ownerSeq } },
    { $set: { statuses: all, counts: countStatuses(all), ownerSeq, segments } },
  );
  return written.matchedCount === 1;
}

async function receipt(
  batch: BatchDocument,
  index: number,
  states: string,
  more: Partial<Parameters<typeof rig.store.receipts.insertOne>[0]> = {},
): Promise<void> {
  const { size } = (await outcomeOf(batch, index))!;
  await rig.store.receipts.insertOne({
    _id: chunkId(batch._id, batch.incarnation, index),
    batchId: batch._id,
    index,
    size,
    version: 1,
    states: states.padEnd(size, '.'),
    errors: '',
    times: '',
    timesFromMs: 0,
    lateAnswers: [],
    counts: noReceipts(),
    ...more,
  });
}

describe('statistics', () => {
  it('counts a batch that is not prepared as pending, to the last recipient', async () => {
    const batch = await rig.batch('s0', { tableStorageName: 'people' });
    await rig.run(batch, 'partition');
    assert.deepEqual((await rig.run(batch, 'statistics')).body.result.counts, {
      ...noOutcomes(),
      pending: 10_000,
    });
    await rig.run(batch, 'preparation', 1);
    const { counts } = (await rig.run(batch, 'statistics', 0, { epoch: 2 })).body.result;
    assert.deepEqual(counts, { ...noOutcomes(), pending: 10_000 });
  });

  it('counts what the documents say, receipts merged', async () => {
    const batch = await prepared('s1');
    await write(batch, 0, 'aaaru', 1, 3);
    await receipt(batch, 0, 'du..d');
    const size = (await outcomeOf(batch, 1))!.size;
    await write(batch, 1, 'a'.repeat(size), 1, size);
    await receipt(batch, 1, 'ddd', { counts: { delivered: 3, undelivered: 0, expiredAtCarrier: 0 } });
    await write(batch, 2, 'uu', 1);
    await receipt(batch, 2, '', {
      lateAnswers: [{ position: 0, outcome: 'rejected', messageId: '', code: '0x0B', atMs: 1 }],
    });
    const { counts, receipts, segments } = (await rig.run(batch, 'statistics')).body.result;
    assert.deepEqual(counts, {
      ...noOutcomes(),
      accepted: 4 + size,
      rejected: 2,
      unknown: 1,
      pending: 10_000 - 7 - size,
    });
    assert.equal(totalOf(counts), 10_000);
    assert.deepEqual(receipts, { delivered: 5, undelivered: 1, expiredAtCarrier: 0 });
    assert.equal(segments, 3 + size);
  });

  it('counts receipts of a long message that came before its answers were stored', async () => {
    const batch = await prepared('s6');
    const size = (await outcomeOf(batch, 0))!.size;
    // All three parts of the first have their receipts; the carrier's answers are still on their way to the store.
    await receipt(batch, 0, 'du', { parts: 'ddd\nu', counts: noReceipts(), uncounted: 2 });
    await write(batch, 0, 'a'.repeat(size), 1, 3 * size);
    const { counts, receipts } = (await rig.run(batch, 'statistics')).body.result;
    assert.deepEqual(counts, { ...noOutcomes(), accepted: size, pending: 10_000 - size });
    assert.deepEqual(receipts, { delivered: 1, undelivered: 1, expiredAtCarrier: 0 });
  });

  it('at the end by notAfter turns what is pending into expired, and shuts a frozen sender out', async () => {
    const batch = await prepared('s2');
    const message = { batchId: 's2', step: 'delivery', task: 0, epoch: 1, incarnation: 'l1', config: {} };
    await issueTasks(rig.store.tasks, [message], null, Date.now());
    const id = taskId('s2', 'l1', 'delivery', 0);
    const taken = await takeTask(rig.store.tasks, { id, epoch: 1, holder: 'frozen' });
    assert.equal(taken.kind, 'taken');
    assert.ok(await write(batch, 0, 'aar', 1, 2));

    const { counts } = (await rig.run(batch, 'statistics', 0, { config: { finish: 'expire' } })).body.result;
    assert.deepEqual(counts, { ...noOutcomes(), accepted: 2, rejected: 1, expired: 9_997 });
    // It wakes up and writes what it meant to: the fence is above it, in its chunks and in all others.
    assert.equal(await write(batch, 0, 'aaraaa', 1), false);
    assert.equal(await write(batch, 1, 'aaa', 1), false);
    const documents = await rig.store.outcomes.find({ batchId: 's2' }).toArray();
    for (const each of documents) assert.deepEqual(each.counts, countStatuses(each.statuses));
    assert.deepEqual(documents.map((each) => each.counts).reduce(addCounts), counts);
    const again = await rig.run(batch, 'statistics', 0, { epoch: 2, config: { finish: 'expire' } });
    assert.deepEqual(again.body.result.counts, counts);
  });

  it('at the end by abort leaves pending what was not sent', async () => {
    const batch = await prepared('s3');
    await write(batch, 0, 'a', 1);
    const { counts } = (await rig.run(batch, 'statistics', 0, { config: { finish: 'abort' } })).body.result;
    assert.deepEqual(counts, { ...noOutcomes(), accepted: 1, pending: 9_999 });
  });

  for (const [finish, id, left] of [
    ['abort', 'doubt-abort', 'pending'],
    ['expire', 'doubt-expire', 'expired'],
  ] as const) {
    it(`at the end (${finish}) what was to be sent again, its answer lost, is unknown: the carrier may have it`, async () => {
      const batch = await prepared(id);
      await write(batch, 0, 'a', 1);
      const first = (await outcomeOf(batch, 0))!;
      const waiting = [1, 2].map((position) => ({
        position,
        attempts: 1,
        notBefore: Date.now() + 10_000,
        partsAccepted: 0,
        reference: 0,
      }));
      const codes = Array.from({ length: first.size }, (_, i) => ['', 'NO_ANSWER', '0x00000008'][i] ?? '');
      await rig.store.outcomes.updateOne({ _id: first._id }, { $set: { waiting, codes: codes.join('\n') } });
      const { counts } = (await rig.run(batch, 'statistics', 0, { config: { finish } })).body.result;
      assert.deepEqual(counts, { ...noOutcomes(), accepted: 1, unknown: 1, [left]: 9_998 });
      const ended = (await outcomeOf(batch, 0))!;
      assert.deepEqual(ended.counts, countStatuses(ended.statuses));
      // A receipt of it still comes.
      await receipt(batch, 0, '.d');
      const later = (await rig.run(batch, 'statistics', 0, { epoch: 2, config: { finish } })).body.result;
      assert.deepEqual(later.counts, { ...noOutcomes(), accepted: 2, [left]: 9_998 });
    });
  }

  it('of a batch that was never partitioned has nothing to count', async () => {
    const { verb, body } = await rig.run(await rig.batch('s4', {}), 'statistics');
    assert.equal(verb, 'step-failed');
    assert.equal(body.code, 'not-partitioned');
  });

  it('does not meet the documents of another life, or of a batch with a longer name', async () => {
    const batch = await prepared('s5');
    await rig.store.outcomes.insertMany(
      ['s5.l10.0', 's5.l0.0', 's50.l1.0'].map((_id) => ({ ...document, _id })),
    );
    const { counts } = (await rig.run(batch, 'statistics')).body.result;
    assert.deepEqual(counts, { ...noOutcomes(), pending: 10_000 });
  });
});

describe('cleanup', () => {
  it('removes the source data that the batch made for itself, twice if need be, and no outcome', async () => {
    const batch = await rig.batch('c1', { content: 'Hi' });
    await rig.store.inlineRecipients.insertOne({ _id: lifeOf(batch), recipients: people(3) });
    await rig.prepare(batch);
    for (const epoch of [1, 2]) {
      assert.equal((await rig.run(batch, 'cleanup', 0, { epoch })).verb, 'step-done');
      assert.equal(await rig.store.tables.countDocuments({ _id: lifeOf(batch) }), 0);
      assert.equal(await rig.store.sourceChunks.countDocuments({ table: lifeOf(batch) }), 0);
      assert.equal(await rig.store.inlineRecipients.countDocuments({ _id: lifeOf(batch) }), 0);
      assert.equal(await rig.store.outcomes.countDocuments({ batchId: 'c1' }), 1);
      assert.equal(await rig.store.messageChunks.countDocuments({ batchId: 'c1' }), 1);
    }
    assert.equal((await rig.run(batch, 'statistics')).verb, 'step-done');
  });

  it('of a deleted batch removes everything that belonged to this life, and nothing of another', async () => {
    const batch = await prepared('c2');
    await rig.store.outcomes.insertOne({ ...document, _id: 'c2.l2.0' });
    await receipt(batch, 0, '');
    const recounts = recountsOf(rig.store.db);
    const recount = { version: 1, writer: 'w', atMs: 1, marks: 1 };
    await recounts.insertMany([
      { ...recount, _id: lifeOf(batch) },
      { ...recount, _id: 'c2.l2' },
    ]);
    await rig.store.reports.insertOne({ _id: lifeOf(batch), batchId: 'c2' } as ReportDocument);
    await rig.batch('c2', batch.definition, { deletedAt: 1 });
    const { verb } = await rig.run(batch, 'cleanup', 0, { config: { removeAll: true } });
    assert.equal(verb, 'step-done');
    for (const collection of [
      rig.store.outcomes,
      rig.store.messageChunks,
      rig.store.receipts,
      rig.store.partitions,
      rig.store.reports,
    ]) {
      assert.equal(await collection.countDocuments({ batchId: 'c2' } as never), 0, collection.collectionName);
    }
    assert.deepEqual(
      (await recounts.find().toArray()).map(({ _id }) => _id),
      ['c2.l2'],
    );
    // The task itself goes after its answer is out.
    const end = performance.now() + 5_000;
    while ((await rig.store.tasks.countDocuments({ batchId: 'c2' })) > 0) {
      assert.ok(performance.now() < end);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(await rig.store.outcomes.findOne({ _id: 'c2.l2.0' }));
    assert.ok(await rig.store.tables.findOne({ _id: 'people' }));
  });

  it('removes nothing more of a batch that was not deleted, whatever its task says', async () => {
    const batch = await prepared('c3');
    await rig.run(batch, 'cleanup', 0, { config: { removeAll: true } });
    assert.ok((await rig.store.outcomes.countDocuments({ batchId: 'c3' })) > 0);
  });
});

const document: OutcomeDocument = {
  _id: '',
  batchId: 'other',
  index: 0,
  task: 0,
  size: 1,
  ownerSeq: 0,
  statuses: 'p',
  ids: '',
  codes: '',
  times: '',
  timesFromMs: 0,
  waiting: [],
  counts: countStatuses('p'),
  segments: 0,
  resent: 0,
  updatedAtMs: 0,
};
