import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { pino } from 'pino';
import { taskId } from '../../../contracts/ids.ts';
import { noOutcomes, type OutcomeCounts } from '../../../contracts/outcomes.ts';
import { connectMongo } from '../../../lib/mongo/connect.ts';
import { accountOf } from '../../../lib/stats/account.ts';
import { storeOf } from '../../../lib/store/collections.ts';
import { initialColumns, OpenChunk } from '../../../lib/store/outcome-columns.ts';
import { place, type TaskDocument } from '../../../lib/store/task-document.ts';
import { sourceChunkAt } from '../../../lib/tables/partition-layout.ts';
import { type SentBatch, type SentRecipient, sentBatch, storeSentBatch } from '../../support/sent-batch.ts';
import { testServers } from '../../support/servers.ts';

const servers = await testServers(['mongo']);
const mongo = await connectMongo({
  url: servers.mongoUrl,
  database: servers.mongoDatabase,
  name: 'test',
  log: pino({ level: 'silent' }),
});
const store = storeOf(mongo.db);
after(async () => {
  await mongo.close();
  await servers.stop();
});

const counts = (some: Partial<OutcomeCounts>): OutcomeCounts => ({ ...noOutcomes(), ...some });
let batches = 0;

/** One bucket, chunks of four, in the order of the list. */
const batchOf = (statuses: string): SentBatch => {
  batches += 1;
  const recipients: SentRecipient[] = [...statuses].map((status, i) => ({
    msisdn: String(447_700_900_000 + i),
    status,
    ids: status === 'a' ? [`m${i}`] : [],
  }));
  return sentBatch({ batchId: `a${batches}`, recipients, bucketBits: 0 });
};

const taskOf = ({ batchId, incarnation }: SentBatch, more: Partial<TaskDocument>): TaskDocument => ({
  _id: taskId(batchId, incarnation, 'delivery', 0),
  batchId,
  incarnation,
  step: 'delivery',
  n: 0,
  epoch: 1,
  run: 'go',
  out: true,
  done: false,
  ownerSeq: 1,
  cursor: 0,
  authorisedTo: 0,
  again: [],
  facts: [],
  counts: noOutcomes(),
  segments: 0,
  resent: 0,
  ratePerSecond: null,
  config: {},
  progressVersion: 0,
  progressAt: 0,
  createdAt: 0,
  ...more,
});

test('before partition nothing is known', async () => {
  const account = await accountOf(store, { _id: 'nobody', incarnation: 'x' });
  assert.equal(account.total, null);
  assert.deepEqual(account.counts, noOutcomes());
});

test('rows of chunks that are not prepared yet are pending, counted from their source', async () => {
  const sent = batchOf('pppppppppp');
  await storeSentBatch(store, sent);
  await store.outcomes.deleteMany({ batchId: sent.batchId, index: { $gte: 1 } });
  await store.sourceChunks.insertMany(
    sent.messages.map(({ index, size, phones }) => ({
      _id: sourceChunkAt(sent.partition, index).id,
      table: 'people',
      size,
      phones,
      columns: {},
    })),
  );
  assert.deepEqual(await accountOf(store, sent.batch), {
    total: 10,
    counts: counts({ pending: 10 }),
    receipts: { delivered: 0, undelivered: 0, expiredAtCarrier: 0 },
    resolved: { accepted: 0, rejected: 0 },
  });
});

test('facts of a task that is out count; what was authorised without an outcome is in flight', async () => {
  const sent = batchOf('aaar' + 'pppp' + 'pppp' + 'pp');
  await storeSentBatch(store, sent);
  const open = new OpenChunk(initialColumns('pppp'));
  open.set(0, 'a', '', 'x', 5);
  open.set(1, 'u', 'NO_ANSWER', '', 5);
  open.wait({ position: 2, attempts: 1, notBefore: 9, partsAccepted: 0, reference: 1 }, '0x00000008');
  const task = taskOf(sent, {
    cursor: place(1, 0),
    authorisedTo: place(2, 2),
    facts: [{ index: 1, columns: open.facts()! }],
  });
  await store.tasks.insertOne(task);
  const expected = { accepted: 4, rejected: 1, unknown: 1 };
  const all = (await accountOf(store, sent.batch)).counts;
  // Position 3 of chunk 1, and two of chunk 2; position 2 of chunk 1 waits for its next attempt.
  assert.deepEqual(all, counts({ ...expected, inFlight: 3, pending: 5 }));

  await store.tasks.updateOne({ _id: task._id }, { $set: { again: [place(1, 2)] } });
  assert.deepEqual(
    (await accountOf(store, sent.batch)).counts,
    counts({ ...expected, inFlight: 4, pending: 4 }),
  );

  // Its facts reach the document, and the journal is read before that: counted once.
  await store.outcomes.updateOne(
    { _id: sent.outcomes[1]!._id },
    { $set: { statuses: 'aupp', counts: counts({ accepted: 1, unknown: 1, pending: 2 }) } },
  );
  assert.deepEqual(
    (await accountOf(store, sent.batch)).counts,
    counts({ ...expected, inFlight: 4, pending: 4 }),
  );

  await store.tasks.updateOne({ _id: task._id }, { $set: { out: false } });
  assert.deepEqual((await accountOf(store, sent.batch)).counts, counts({ ...expected, pending: 8 }));
});

test('receipts and late answers are merged, and receipts never pass the accepted', async () => {
  const sent = batchOf('aaau' + 'arpu');
  await storeSentBatch(store, sent);
  const none = { delivered: 0, undelivered: 0, expiredAtCarrier: 0 };
  const base = { batchId: sent.batchId, size: 4, version: 1, errors: '', times: '', timesFromMs: 0 };
  await store.receipts.insertMany([
    {
      ...base,
      _id: sent.outcomes[0]!._id,
      index: 0,
      states: 'due.',
      lateAnswers: [{ position: 3, outcome: 'accepted', messageId: 'late', atMs: 1 }],
      counts: { delivered: 1, undelivered: 1, expiredAtCarrier: 1 },
      uncounted: 0,
    },
    // Written while its sender had not stored the first one's outcome.
    {
      ...base,
      _id: sent.outcomes[1]!._id,
      index: 1,
      states: 'dd.d',
      lateAnswers: [],
      counts: none,
      uncounted: 2,
    },
  ]);
  assert.deepEqual(await accountOf(store, sent.batch), {
    total: 8,
    counts: counts({ accepted: 6, rejected: 1, pending: 1 }),
    receipts: { delivered: 3, undelivered: 1, expiredAtCarrier: 1 },
    resolved: { accepted: 2, rejected: 0 },
  });
});
