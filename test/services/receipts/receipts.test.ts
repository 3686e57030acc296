import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { EventBody } from '../../../contracts/events.ts';
import { chunkId } from '../../../contracts/ids.ts';
import type { DeliveryReceipt } from '../../../contracts/receipts.ts';
import { receiptSubject, STREAMS } from '../../../contracts/subjects.ts';
import { resolvedBy } from '../../../lib/journal/resolve-in-doubt.ts';
import { deadHeader } from '../../../lib/nats/dead-letter.ts';
import { request } from '../../../lib/nats/request.ts';
import { accountOf } from '../../../lib/stats/account.ts';
import { type SentRecipient, sentBatch, storeOutcomes, storeSentBatch } from '../../support/sent-batch.ts';
import { testServers } from '../../support/servers.ts';
import { until } from '../../support/until.ts';
import { receiptsWorld } from './receipts-world.ts';

const servers = await testServers(['nats', 'mongo']);
const world = await receiptsWorld(servers);
const { store } = world;
after(async () => {
  await world[Symbol.asyncDispose]();
  await servers.stop();
});

let batches = 0;
const people = (count: number, first = 0): SentRecipient[] =>
  Array.from({ length: count }, (_, i) => ({
    msisdn: String(447_700_900_000 + 1_000 * batches + first + i),
    ids: [(0x39f9_0000 + 1_000 * batches + first + i).toString(16)],
  }));
const newBatch = (recipients: SentRecipient[], options: object = {}) =>
  sentBatch({
    batchId: `r${++batches}`,
    recipients,
    createdAtMs: 1_700_000_000_000 + batches,
    ...options,
  });

const delivered = ({ msisdn, ids }: SentRecipient, part = 0): DeliveryReceipt => ({
  messageId: ids![part]!,
  msisdn,
  state: 'delivered',
  atMs: 1_700_000_100_000,
});

async function lastRecount(batchId: string): Promise<EventBody<'recounted'> | undefined> {
  const last = await world.nats.jsm.streams
    .getMessage(STREAMS.events, { last_by_subj: `sms.evt.${batchId}.recounted` })
    .catch(() => undefined);
  return last?.json<EventBody<'recounted'>>();
}

test('receipts are joined, acknowledged and counted', async () => {
  const recipients = people(20);
  const sent = newBatch(recipients);
  await storeSentBatch(store, sent);
  await using component = world.component();
  await component.start();
  await world.publish(recipients.slice(0, 15).map((each) => delivered(each)));
  await world.publish([
    { ...delivered(recipients[15]!), state: 'undelivered', error: '006' },
    { ...delivered(recipients[16]!), state: 'expired' },
  ]);
  await until('acknowledged', world.drained);
  const states = Object.values(await world.statesOf(sent))
    .sort()
    .join('');
  assert.equal(states, `...${'d'.repeat(15)}eu`);
  // The two groups may be counted one after the other.
  const recount = await until('counted', async () => {
    const last = await lastRecount(sent.batchId);
    return last?.receipts?.undelivered === 1 ? last : undefined;
  });
  assert.deepEqual(recount.receipts, { delivered: 15, undelivered: 1, expiredAtCarrier: 1 });
  assert.deepEqual((await accountOf(store, sent.batch)).receipts, recount.receipts);
});

test('a receipt that is faster than its answer waits in memory for it', async () => {
  const recipients = people(8);
  const sent = newBatch(recipients);
  await storeSentBatch(store, sent, { outcomes: false });
  await using component = world.component({ holdMs: 10_000 });
  await component.start();
  await world.publish(recipients.map((each) => delivered(each)));
  await until('taken', async () => (await consumer()).num_ack_pending === 1);
  await storeOutcomes(store, sent);
  await until('acknowledged', world.drained);
  assert.equal(Object.values(await world.statesOf(sent)).join(''), 'dddddddd');
  assert.deepEqual(await world.parked(), []);
});

const consumer = () => world.nats.jsm.consumers.info(STREAMS.receipts, 'receipts');

test('what waits longer is parked, and found by the next process', async () => {
  const recipients = people(8);
  const sent = newBatch(recipients);
  await storeSentBatch(store, sent, { outcomes: false });
  {
    await using component = world.component();
    await component.start();
    await world.publish(recipients.map((each) => delivered(each)));
    await world.publish(recipients.slice(0, 3).map((each) => delivered(each)));
    await until('parked', async () => (await world.parked()).length === 8);
    await until('acknowledged', world.drained);
  }
  await storeOutcomes(store, sent);
  await using component = world.component();
  await component.start();
  await until('joined', async () => (await world.parked()).length === 0);
  assert.equal(Object.values(await world.statesOf(sent)).join(''), 'dddddddd');
});

test('what waits in memory at the end of a process is parked', async () => {
  const recipients = people(2);
  const sent = newBatch(recipients);
  await storeSentBatch(store, sent, { outcomes: false });
  {
    await using component = world.component({ holdMs: 60_000 });
    await component.start();
    await world.publish(recipients.map((each) => delivered(each)));
    await until('taken', async () => (await consumer()).num_ack_pending === 1);
  }
  assert.equal((await world.parked()).length, 2);
  assert.ok(await world.drained());
  await storeOutcomes(store, sent);
  await using component = world.component();
  await component.start();
  await until('joined', async () => (await world.parked()).length === 0);
});

test('receipts of messages that are not ours are listed as orphans', async () => {
  await using component = world.component();
  await component.start();
  await world.publish([
    { messageId: 'nobody-1', msisdn: '447700999001', state: 'delivered', atMs: 1 },
    { messageId: 'nobody-2', msisdn: '447700999002', state: 'undelivered', error: '011', atMs: 2 },
  ]);
  await until('parked', async () => (await world.parked()).length === 2);
  const ask = (body: object) =>
    request<{ orphans: { messageId: string; error?: string }[]; nextCursor?: string }>(
      world.nats.nc,
      'sms.api.receipt.orphans',
      body,
      { deadlineMs: 5_000 },
    );
  assert.deepEqual((await ask({})).orphans, [], 'the young may only be early');
  const first = await ask({ olderThanSeconds: 0, limit: 1, provider: 'main' });
  const second = await ask({ olderThanSeconds: 0, limit: 1, cursor: first.nextCursor });
  assert.deepEqual(
    [...first.orphans, ...second.orphans].map(({ messageId, error }) => [messageId, error]),
    [
      ['nobody-1', undefined],
      ['nobody-2', '011'],
    ],
  );
  assert.equal(second.nextCursor, undefined);
  await store.db.collection('parked_receipts').deleteMany({});
});

test('late answers resolve unknown, and their receipts find them', async () => {
  const recipients = people(4).map((each) => ({ ...each, status: 'u', ids: [] }));
  const sent = newBatch(recipients, {
    state: { phase: null, status: 'Succeeded' },
    endedAt: Date.now(),
  });
  await storeSentBatch(store, sent);
  await using component = world.component();
  await component.start();
  const chunkOf = (i: number) => {
    const { index, position } = sent.placeOf.get(recipients[i]!.msisdn)!;
    return { chunk: chunkId(sent.batchId, sent.incarnation, index), position };
  };
  await world.publishLate([
    { ...chunkOf(0), outcome: 'accepted', messageId: 'late-0', atMs: 5 },
    { ...chunkOf(1), outcome: 'rejected', messageId: '', code: '0x0000000B', atMs: 5 },
    { ...chunkOf(0), outcome: 'rejected', messageId: '', atMs: 4 },
  ]);
  await world.publish([{ messageId: 'LATE-0', msisdn: recipients[0]!.msisdn, state: 'delivered', atMs: 9 }]);
  const recount = await until('counted', async () => {
    const found = await lastRecount(sent.batchId);
    return found?.receipts.delivered === 1 && found.counts?.unknown === 2 && found;
  });
  assert.equal(recount.counts!.accepted, 1);
  assert.equal(recount.counts!.rejected, 1);
  assert.deepEqual((await accountOf(store, sent.batch)).counts, recount.counts);
});

test('a receipt whose id fits nothing tells of the one message to its number whose answer was lost', async () => {
  const [single, long, twice] = people(3);
  const recipients = [
    { ...single!, status: 'u', ids: [] },
    { ...long!, status: 'u', ids: [], segments: 2 },
    { ...twice!, status: 'u', ids: [] },
  ];
  const sent = newBatch(recipients, { createdAtMs: 1_700_000_000_000 });
  const other = newBatch([recipients[2]!], { createdAtMs: 1_700_000_000_000 });
  await storeSentBatch(store, sent);
  await storeSentBatch(store, other);
  await using component = world.component();
  await component.start();
  const at = 1_700_000_100_000;
  await world.publish([
    { messageId: 'x-1', msisdn: single!.msisdn, state: 'undelivered', atMs: at },
    { messageId: 'x-2', msisdn: long!.msisdn, state: 'delivered', atMs: at },
    { messageId: 'x-3', msisdn: twice!.msisdn, state: 'delivered', atMs: at },
  ]);
  await until('joined', async () => (await world.statesOf(sent))[single!.msisdn] === 'u');
  assert.equal((await world.statesOf(sent))[long!.msisdn], '.', 'one part of two');
  await world.publish([{ messageId: 'x-4', msisdn: long!.msisdn, state: 'delivered', atMs: at }]);
  await until('joined', async () => (await world.statesOf(sent))[long!.msisdn] === 'd');
  await until('only the ambiguous one is left', async () => {
    const left = await world.parked();
    return left.length === 1 && left[0]!.attempts >= 2;
  });
  assert.equal((await world.parked())[0]!.receipt.messageId, 'x-3');
  const { counts, receipts } = await accountOf(store, sent.batch);
  assert.deepEqual([counts.accepted, counts.unknown], [2, 1]);
  assert.deepEqual(receipts, { delivered: 1, undelivered: 1, expiredAtCarrier: 0 });
  await store.db.collection('parked_receipts').deleteMany({});
});

test('a receipt is of the message that it does not contradict: by sender, text, or time of submission', async () => {
  const [bySender, byText, byTime, astray] = people(4);
  const doubted = [bySender!, byText!, byTime!, astray!].map((each) => ({ ...each, status: 'u', ids: [] }));
  const one = newBatch(doubted, { createdAtMs: 1_700_000_000_000, bucketBits: 0 });
  const two = newBatch(doubted.slice(0, 3), { createdAtMs: 1_700_000_000_000, bucketBits: 0 });
  one.batch.definition.sender = 'Shop';
  two.batch.definition.sender = 'Bank';
  for (const each of one.messages) each.texts = 'Your parcel is on its way';
  for (const each of two.messages) each.texts = 'Your account has moved';
  for (const each of two.outcomes) each.sentFromMs = 1_700_000_000_000 + 2_000_000;
  await storeSentBatch(store, one);
  await storeSentBatch(store, two);
  await using component = world.component();
  await component.start();
  const atMs = 1_700_000_000_000 + 2_100_000;
  const told = { state: 'delivered', atMs } as const;
  await world.publish([
    { ...told, messageId: 's', msisdn: bySender!.msisdn, sender: 'BANK' },
    { ...told, messageId: 't', msisdn: byText!.msisdn, text: 'Your account has mov' },
    // Half an hour before the second batch began.
    { ...told, messageId: 'd', msisdn: byTime!.msisdn, submitToDoneMs: 29 * 60_000 },
    // Somebody else sends over this account, too.
    { ...told, messageId: 'a', msisdn: astray!.msisdn, text: 'Your code is 271828' },
  ]);
  await until('three found', async () => {
    const found = { ...(await world.statesOf(one)) };
    const other = await world.statesOf(two);
    return found[byTime!.msisdn] === 'd' && other[bySender!.msisdn] === 'd' && other[byText!.msisdn] === 'd';
  });
  await until('the last one waits', async () => {
    const left = await world.parked();
    return left.length === 1 && left[0]!.attempts >= 2;
  });
  assert.equal(
    Object.values(await world.statesOf(one))
      .sort()
      .join(''),
    '...d',
  );
  assert.equal(
    Object.values(await world.statesOf(two))
      .sort()
      .join(''),
    '.dd',
  );
  assert.deepEqual((await world.parked())[0]!.receipt.text, 'Your code is 271828');
  await store.db.collection('parked_receipts').deleteMany({});
});

test('a receipt that came before its own answer was stored does not resolve another batch’s message', async () => {
  const [shared, resolved] = people(2);
  const both = [shared!, resolved!];
  const doubtful = newBatch(
    both.map((each) => ({ ...each, status: 'u', ids: [] })),
    { bucketBits: 0, createdAtMs: 1_700_000_000_000 },
  );
  const sending = newBatch(
    both.map((each) => ({ ...each, status: 'p', ids: [] })),
    { bucketBits: 0, createdAtMs: 1_700_000_000_000 },
  );
  // The first of the two was sent, the second one was not.
  const task = {
    _id: `${sending.life}.delivery.0`,
    batchId: sending.batchId,
    out: true,
    authorisedTo: sending.placeOf.get(shared!.msisdn)!.position + 1,
  };
  assert.deepEqual(sending.placeOf.get(resolved!.msisdn), { index: 0, position: 1 });
  await storeSentBatch(store, doubtful);
  await storeSentBatch(store, sending);
  await store.tasks.insertOne(task as never);
  await using component = world.component();
  await component.start();
  const told = { state: 'delivered', atMs: 1_700_000_100_000 } as const;
  await world.publish([
    { ...told, messageId: 'early', msisdn: shared!.msisdn },
    { ...told, messageId: 'lost', msisdn: resolved!.msisdn },
  ]);
  await until('nobody else may have had the second', async () => {
    return (await world.statesOf(doubtful))[resolved!.msisdn] === 'd';
  });
  await until('the first is looked at more than once', async () => {
    const left = await world.parked();
    return left.length === 1 && left[0]!.attempts >= 2;
  });
  assert.equal((await world.statesOf(doubtful))[shared!.msisdn], '.');
  // Now the answer is stored: the receipt is of that message, and the other one stays unknown.
  await store.outcomes.updateOne(
    { _id: sending.outcomes[0]!._id },
    { $set: { statuses: 'ap', ids: 'early\n', 'counts.accepted': 1, 'counts.pending': 1 } },
  );
  await until('joined', async () => (await world.statesOf(sending))[shared!.msisdn] === 'd');
  const { counts } = await accountOf(store, doubtful.batch);
  assert.deepEqual([counts.accepted, counts.unknown], [1, 1]);
  // Its own receipt comes at last; that it was the only one left is known from the first's id.
  await world.publish([{ ...told, messageId: 'own', msisdn: shared!.msisdn }]);
  await until('resolved', async () => (await world.statesOf(doubtful))[shared!.msisdn] === 'd');
  await until('none waits', async () => (await world.parked()).length === 0);
});

test('what is resolved is in doubt no more: a second batch’s receipt to the same number finds its own', async () => {
  const [person] = people(1);
  const lost = [{ ...person!, status: 'u', ids: [] }];
  const first = newBatch(lost, { createdAtMs: 1_700_000_000_000 });
  await storeSentBatch(store, first);
  await using component = world.component();
  await component.start();
  const told = { msisdn: person!.msisdn, state: 'delivered', atMs: 1_700_000_100_000 } as const;
  await world.publish([{ ...told, messageId: 'm-1' }]);
  await until('resolved', async () => (await world.statesOf(first))[person!.msisdn] === 'd');
  const second = newBatch(lost, { createdAtMs: 1_700_000_000_000 });
  await storeSentBatch(store, second);
  // A doubled receipt of the first is no news of the second.
  await world.publish([{ ...told, messageId: 'm-1' }]);
  await until('acknowledged', world.drained);
  await until('none waits', async () => (await world.parked()).length === 0);
  await world.publish([{ ...told, messageId: 'm-2', state: 'undelivered' }]);
  await until('resolved', async () => (await world.statesOf(second))[person!.msisdn] === 'u');
  assert.equal((await world.statesOf(first))[person!.msisdn], 'd');
});

test('a long message of which some parts were answered is resolved by the receipts of the others', async () => {
  const [person] = people(1);
  const sent = newBatch([{ ...person!, status: 'u', ids: ['m-1', '', 'm-3'], segments: 3 }]);
  await storeSentBatch(store, sent);
  await using component = world.component();
  await component.start();
  const told = { msisdn: person!.msisdn, state: 'delivered', atMs: 1_700_000_100_000 } as const;
  await world.publish(['m-1', 'm-2', 'm-3'].map((messageId) => ({ ...told, messageId })));
  await until('resolved', async () => (await world.statesOf(sent))[person!.msisdn] === 'd');
  const { counts, receipts } = await accountOf(store, sent.batch);
  assert.deepEqual([counts.accepted, counts.unknown, receipts.delivered], [1, 0, 1]);
  await until('none waits', async () => (await world.parked()).length === 0);
});

test('a receipt of a message that is about to be sent again, its answer lost, is there before it is sent', async () => {
  const [doubted, refused] = people(2);
  const recipients = [doubted!, refused!].map((each) => ({ ...each, status: 'p', ids: [] }));
  const sent = newBatch(recipients, { bucketBits: 0 });
  const waiting = (position: number) => ({
    position,
    attempts: 1,
    notBefore: Date.now() + 10_000,
    partsAccepted: 0,
    reference: 1,
  });
  Object.assign(sent.outcomes[0]!, { codes: 'NO_ANSWER\n0x00000008', waiting: [waiting(0), waiting(1)] });
  await storeSentBatch(store, sent);
  await using component = world.component();
  await component.start();
  await world.publish(
    recipients.map(({ msisdn }, i) => ({
      messageId: `n-${i}`,
      msisdn,
      state: 'delivered',
      atMs: 1_700_000_100_000,
    })),
  );
  const stored = await until('told', () =>
    store.receipts.findOne({ batchId: sent.batchId }).then((d) => d ?? false),
  );
  assert.equal(resolvedBy(stored, 0)?.messageId, 'n-0');
  // The other was refused: whoever had that receipt, it is not this message.
  assert.equal(resolvedBy(stored, 1), undefined);
  const { counts, receipts } = await accountOf(store, sent.batch);
  assert.equal(counts.pending, 2, 'only its sender says that it was accepted');
  assert.equal(receipts.delivered, 0);

  await store.outcomes.updateOne(
    { _id: sent.outcomes[0]!._id },
    { $set: { statuses: 'ap', ids: 'n-0\n', 'counts.accepted': 1, 'counts.pending': 1 } },
  );
  assert.equal((await accountOf(store, sent.batch)).receipts.delivered, 1);
  await store.db.collection('parked_receipts').deleteMany({});
});

test('without a number the id alone decides; with one, the number must fit; another account’s receipt never does', async () => {
  const recipients = people(6);
  const sent = newBatch(recipients);
  await storeSentBatch(store, sent);
  await using component = world.component();
  await component.start();
  await world.publish([{ ...delivered(recipients[0]!), msisdn: '' }]);
  await world.publish([{ ...delivered(recipients[1]!), msisdn: recipients[2]!.msisdn }]);
  await world.publish([delivered(recipients[3]!)], 'other');
  await world.publish([{ ...delivered(recipients[4]!), msisdn: `+${recipients[4]!.msisdn}` }]);
  await until('joined by id', async () => (await world.statesOf(sent))[recipients[0]!.msisdn] === 'd');
  await until('the others wait', async () => {
    const parked = await world.parked();
    return parked.length === 2 && parked.every(({ attempts }) => attempts >= 2);
  });
  const states = await world.statesOf(sent);
  assert.equal(recipients.map(({ msisdn }) => states[msisdn]).join(''), 'd...d.');
  await store.db.collection('parked_receipts').deleteMany({});
});

test('the same number in two batches: each receipt goes to its own', async () => {
  const recipients = people(12);
  const older = newBatch(recipients, { state: { phase: null, status: 'Succeeded' }, endedAt: Date.now() });
  const younger = newBatch(recipients.map((each) => ({ ...each, ids: [`y${each.ids![0]}`] })));
  await storeSentBatch(store, older);
  await storeSentBatch(store, younger);
  await using component = world.component();
  await component.start();
  await world.publish(recipients.slice(0, 5).map((each) => delivered(each)));
  await world.publish(
    recipients.slice(5).map((each) => ({ ...delivered(each), messageId: `y${each.ids![0]}` })),
  );
  await until('acknowledged', world.drained);
  const inOlder = await world.statesOf(older);
  const inYounger = await world.statesOf(younger);
  assert.equal(recipients.map(({ msisdn }) => inOlder[msisdn]).join(''), 'ddddd.......');
  assert.equal(recipients.map(({ msisdn }) => inYounger[msisdn]).join(''), '.....ddddddd');
});

test('a message that cannot be read goes to the dead letters with the reason, and holds nothing up', async () => {
  const recipients = people(2);
  const sent = newBatch(recipients);
  await storeSentBatch(store, sent);
  await using component = world.component();
  await component.start();
  const raw = (body: string, msgId: string) =>
    world.publisher.publish({ stream: STREAMS.receipts, subject: receiptSubject('main'), msgId, body });
  await raw('{"provider": "main", "receipts": [', 'poison-1');
  await world.publish(recipients.map((each) => delivered(each)));
  await raw(JSON.stringify({ provider: 'main', receipts: [{ messageId: 'x', state: 'gone' }] }), 'poison-2');
  await until('acknowledged', world.drained);
  assert.equal(Object.values(await world.statesOf(sent)).join(''), 'dd');
  const dead = await world.nats.jsm.streams.info(STREAMS.dead);
  assert.equal(dead.state.messages, 2);
  const last = await world.nats.jsm.streams.getMessage(STREAMS.dead, { seq: dead.state.last_seq });
  assert.match(last!.header.get(deadHeader.reason), /receipts\/0\/state.*expected/);
  assert.equal(last!.header.get(deadHeader.subject), 'sms.receipt.main');
});
