import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { noOutcomes, totalOf } from '../../../../contracts/outcomes.ts';
import type { ReceiptGroup } from '../../../../contracts/receipts.ts';
import type { OutcomeDocument } from '../../../../lib/store/chunk-documents.ts';
import { defaultBehaviour } from '../../../../services/smsc-simulator/behaviour.ts';
import { type Simulator, startSimulator } from '../../../../services/smsc-simulator/simulator.ts';
import type { ProviderConfig } from '../../../../services/steps/delivery/providers/provider-config.ts';
import { testServers } from '../../../support/servers.ts';
import { type DeliveryHost, deliveryHost, type HostOptions } from './fixtures/delivery-host.ts';
import { preparedBatch } from './fixtures/prepared-batch.ts';

let servers: Awaited<ReturnType<typeof testServers>>;
let simulator: Simulator;
let host: DeliveryHost;

before(async () => {
  servers = await testServers();
  simulator = await startSimulator();
  host = await deliveryHost({ urls: servers, smppPort: simulator.smppPort });
});
after(async () => {
  await host?.stop();
  await simulator?.stop();
  await servers?.stop();
});

beforeEach(() => {
  simulator.reset();
  simulator.change(structuredClone(defaultBehaviour));
});

const outcomesOf = (batchId: string): Promise<OutcomeDocument[]> =>
  host.store.outcomes.find({ batchId }, { sort: { index: 1 } }).toArray();

const task0 = (batchId: string) => host.store.tasks.findOne({ batchId, n: 0 });
const hold = (batchId: string) => host.store.tasks.updateMany({ batchId }, { $set: { run: 'hold' } });
const renew = (batchId: string) =>
  host.store.tasks.updateMany({ batchId }, { $set: { run: 'go', out: true }, $inc: { epoch: 1 } });

/** A host of its own, for another account configuration. */
const another = (account: Partial<ProviderConfig>, deps?: HostOptions['deps']) =>
  deliveryHost({ urls: servers, smppPort: simulator.smppPort, account, ...(deps && { deps }) });

async function reached(what: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + 20_000;
  while (!(await what())) {
    assert.ok(performance.now() < until, 'it never came');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** How often each number stands in the simulator's ledger. */
function ledger(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { msisdn } of simulator.messages()) {
    counts.set(msisdn, (counts.get(msisdn) ?? 0) + 1);
  }
  return counts;
}

test('every pending recipient of a batch is sent once, and its outcome stored', async () => {
  const batch = await preparedBatch(host.store, {
    batchId: 'plain',
    chunks: 5,
    chunkSize: 200,
    statuses: (_, position) => (position === 3 ? 'd' : position === 4 ? 'i' : 'p'),
    text: (index, position) => `Hello ${index} ${position}${position % 50 === 0 ? ' 你好' : ''}`,
  });
  const outcome = await host.deliver('plain');
  assert.ok(outcome?.kind === 'done');
  assert.deepEqual(outcome.result?.counts, { ...noOutcomes(), accepted: 990, duplicate: 5, invalid: 5 });
  assert.equal(outcome.result?.segments, 990);
  const sent = ledger();
  assert.equal(sent.size, 990);
  for (const document of await outcomesOf('plain')) {
    assert.equal(totalOf(document.counts), 200);
    assert.equal(document.counts.accepted, 198);
    assert.equal(document.provider, 'sim');
    for (let i = 0; i < 200; i++) {
      const times = sent.get(batch.phoneAt(document.index, i)) ?? 0;
      assert.equal(times, document.statuses[i] === 'a' ? 1 : 0);
    }
    assert.equal(document.ids.split('\n').filter((id) => id !== '').length, 198);
  }
  const task = await host.store.tasks.findOne({ batchId: 'plain' });
  assert.equal(task?.done, true);
  assert.deepEqual(task?.facts, []);
});

for (const { ratePerSecond, latencyMs, size } of [
  { ratePerSecond: 10_000, latencyMs: 100, size: 20_000 },
  { ratePerSecond: 5, latencyMs: 0, size: 100 },
]) {
  test(`a hold at ${ratePerSecond} messages/s: nothing arrives later than a second after it`, async () => {
    simulator.change({ latencyMs });
    await using fast = await another({ window: 1_000, sessions: 2 });
    const batchId = `hold-${ratePerSecond}`;
    const batch = await preparedBatch(host.store, {
      batchId,
      chunks: size / Math.min(size, 500),
      chunkSize: Math.min(size, 500),
      ratePerSecond,
    });
    const delivering = fast.deliver(batchId);
    await reached(() => ledger().size >= Math.min(1_000, 5));
    await hold(batchId);
    const heldAt = Date.now();
    const outcome = await delivering;
    assert.ok(outcome?.kind === 'yielded');
    const { counts } = outcome.result!;
    const lateMs = Math.max(...[...simulator.messages()].map(({ at }) => at)) - heldAt;
    assert.ok(lateMs < 1_000, `one came ${lateMs} ms after the hold`);
    const sent = ledger().size;
    assert.ok(sent < batch.total);
    assert.equal(totalOf(counts!), batch.total);
    assert.deepEqual(counts, { ...noOutcomes(), accepted: sent, pending: batch.total - sent });
    if (size > 1_000) {
      await renew(batchId);
      await host.store.tasks.updateMany({ batchId }, { $set: { ratePerSecond: null } });
      const resumed = await fast.deliver(batchId);
      assert.equal(resumed?.kind, 'done');
      assert.equal(ledger().size, batch.total);
      assert.ok([...ledger().values()].every((times) => times === 1));
    }
  });
}

for (const window of [1, 100]) {
  test(`throttling spends no attempt and keeps the order, window ${window}`, async () => {
    simulator.change({ tpsLimit: 150, tpsBurstMs: 100 });
    await using host = await another({ window });
    const batchId = `throttled-${window}`;
    const batch = await preparedBatch(host.store, { batchId, chunks: 3, chunkSize: 100 });
    const outcome = await host.deliver(batchId);
    assert.ok(outcome?.kind === 'done');
    assert.equal(outcome.result?.counts?.accepted, batch.total);
    const rows = [...simulator.messages()];
    const refusedAt = new Map<string, number>();
    const accepted: string[] = [];
    for (const { msisdn, commandStatus } of rows) {
      if (commandStatus !== 0) refusedAt.set(msisdn, refusedAt.get(msisdn) ?? accepted.length);
      else accepted.push(msisdn);
    }
    assert.ok(refusedAt.size > 0, 'the carrier has throttled');
    assert.equal(new Set(accepted).size, batch.total);
    // Only what was on its way already when the refusal came may have overtaken it.
    accepted.forEach((msisdn, at) => {
      const overtaken = accepted.slice(0, at).filter((other) => other > msisdn).length;
      assert.ok(overtaken < window, `${overtaken} overtook ${msisdn}`);
    });
  });
}

test('a temporary refusal is tried again, a permanent one is a rejection with its code', async () => {
  simulator.change({
    rules: [
      { suffix: '7', times: 2, commandStatus: 0x08 },
      { suffix: '8', commandStatus: 0x64 },
      { suffix: '9', commandStatus: 0x0b },
    ],
  });
  await using quick = await another({}, { retryWaitsMs: [20, 20, 20] });
  await preparedBatch(host.store, { batchId: 'refused', chunks: 6, chunkSize: 100 });
  const outcome = await quick.deliver('refused');
  assert.ok(outcome?.kind === 'done');
  assert.deepEqual(outcome.result?.counts, { ...noOutcomes(), accepted: 480, rejected: 120 });
  const codes = (await outcomesOf('refused')).flatMap(({ codes }) =>
    codes.split('\n').filter((code) => code),
  );
  assert.deepEqual([...new Set(codes)].sort(), ['0x0000000B', '0x00000064']);
  for (const [phone, times] of ledger()) {
    assert.equal(times, phone.endsWith('7') ? 3 : phone.endsWith('8') ? 4 : 1, phone);
  }
});

test('what everyone would meet stops the task, with the reason; nobody is lost', async () => {
  simulator.change({ rules: [{ suffix: '0', commandStatus: 0x0a }] });
  const batch = await preparedBatch(host.store, { batchId: 'sender', chunks: 4, chunkSize: 200 });
  const outcome = await host.deliver('sender');
  assert.ok(outcome?.kind === 'yielded');
  assert.equal(outcome.stop?.code, '0x0000000A');
  assert.match(outcome.stop!.message, /sender/);
  const { counts } = outcome.result!;
  assert.equal(totalOf(counts!), batch.total);
  assert.equal(counts!.rejected + counts!.unknown, 0);
  simulator.change({ rules: [] });
  await renew('sender');
  const resumed = await host.deliver('sender');
  assert.ok(resumed?.kind === 'done');
  assert.equal(resumed.result?.counts?.accepted, batch.total);
  const accepted = [...simulator.messages()].filter(({ commandStatus }) => commandStatus === 0);
  assert.equal(accepted.length, batch.total);
});

test('above its share of refusals the task stops', async () => {
  simulator.change({
    rules: [
      { suffix: '1', commandStatus: 0x0b },
      { suffix: '2', commandStatus: 0x0b },
    ],
  });
  await preparedBatch(host.store, {
    batchId: 'threshold',
    chunks: 10,
    chunkSize: 200,
    definition: { failureThreshold: 0.1 },
  });
  const outcome = await host.deliver('threshold');
  assert.ok(outcome?.kind === 'yielded');
  assert.equal(outcome.stop?.code, 'failure-threshold');
  assert.ok((outcome.result?.counts?.rejected ?? 0) < 200);
});

test('long texts: all parts over one bind; after a pause only the rest is sent, with the same reference', async () => {
  const long = 'A long text that needs several parts. '.repeat(12);
  simulator.change({ latencyMs: 20 });
  await using narrow = await another({ window: 4 });
  const batch = await preparedBatch(host.store, {
    batchId: 'long',
    chunks: 2,
    chunkSize: 40,
    text: () => long,
  });
  const delivering = narrow.deliver('long');
  await reached(async () => (await simulator.summary()).segments >= 50);
  await hold('long');
  const outcome = await delivering;
  assert.ok(outcome?.kind === 'yielded');
  assert.equal(totalOf(outcome.result!.counts!), batch.total);
  assert.equal(outcome.result!.counts!.unknown, 0);
  await renew('long');
  assert.equal((await narrow.deliver('long'))?.kind, 'done');
  const rows = [...simulator.messages()];
  assert.equal(rows.length, batch.total);
  for (const { text, complete, segments } of rows) {
    assert.equal(complete, true);
    assert.equal(segments, 3);
    assert.equal(text, long);
  }
  const summary = await simulator.summary();
  assert.equal(summary.segments, 3 * batch.total);
});

test('answers that never come are unknown; a lost connection costs nobody twice', async () => {
  simulator.change({ disconnectEvery: 150, latencyMs: 2 });
  const batch = await preparedBatch(host.store, { batchId: 'cut', chunks: 3, chunkSize: 200 });
  const outcome = await host.deliver('cut');
  assert.ok(outcome?.kind === 'done');
  const { counts } = outcome.result!;
  assert.equal(counts!.accepted + counts!.unknown, batch.total);
  assert.ok(counts!.unknown > 0);
  assert.ok([...ledger().values()].every((times) => times === 1));
});

test('several tasks share the lines: a small one is not starved by a large one', async () => {
  simulator.change({ latencyMs: 5 });
  await preparedBatch(host.store, { batchId: 'large', chunks: 40, chunkSize: 500 });
  await preparedBatch(host.store, {
    batchId: 'small',
    chunks: 1,
    chunkSize: 100,
    phone: (_, position) => String(447_900_000_000 + position),
  });
  const large = host.deliver('large');
  await reached(() => ledger().size > 1_000);
  assert.equal((await host.deliver('small'))?.kind, 'done');
  const task = await task0('large');
  assert.equal(task?.done, false, 'the small one was done first');
  assert.equal((await large)?.kind, 'done');
});

test('what a dead holder left in doubt is settled for a held task, without sending', async () => {
  const batch = await preparedBatch(host.store, { batchId: 'dead', chunks: 2, chunkSize: 100 });
  await host.store.tasks.updateMany({ batchId: 'dead' }, { $set: { authorisedTo: 60, run: 'hold' } });
  const outcome = await host.deliver('dead');
  assert.ok(outcome?.kind === 'yielded');
  assert.deepEqual(outcome.result?.counts, { ...noOutcomes(), unknown: 60, pending: 140 });
  assert.equal(ledger().size, 0);
  await renew('dead');
  assert.equal((await host.deliver('dead'))?.kind, 'done');
  assert.equal(ledger().size, batch.total - 60);
});

test('a process that stops leaves its task, and the next one goes on', async () => {
  simulator.change({ latencyMs: 5 });
  const batch = await preparedBatch(host.store, { batchId: 'left', chunks: 20, chunkSize: 500 });
  const stopping = new AbortController();
  const delivering = host.deliver('left', 0, stopping.signal);
  await reached(() => ledger().size > 1_000);
  stopping.abort();
  assert.equal((await delivering)?.kind, 'left');
  const outcome = await host.deliver('left');
  assert.ok(outcome?.kind === 'done');
  assert.deepEqual(outcome.result?.counts, { ...noOutcomes(), accepted: batch.total });
  assert.ok([...ledger().values()].every((times) => times === 1));
});

test('receipts are stored in groups before the carrier is answered', async () => {
  await using listening = await another({ receipts: true });
  const batch = await preparedBatch(host.store, { batchId: 'receipts', chunks: 2, chunkSize: 300 });
  assert.equal((await listening.deliver('receipts'))?.kind, 'done');
  await reached(async () => {
    const { receiptsAnswered } = await simulator.summary();
    return receiptsAnswered >= batch.total;
  });
  const { state } = await listening.nats.jsm.streams.info('SMS_RECEIPTS');
  let stored = 0;
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await listening.nats.jsm.streams.getMessage('SMS_RECEIPTS', { seq });
    const group = message?.json<ReceiptGroup>();
    const { states = '', msisdns = '' } = group?.columns ?? {};
    stored += states.length;
    assert.match(states, /^d*$/);
    for (const msisdn of msisdns.split('\n')) assert.match(msisdn, /^4477/);
  }
  assert.equal(stored, batch.total);
  assert.ok(state.messages < batch.total / 10, `${state.messages} groups`);
});

test('an account’s rate holds over all processes, counted in segments', async () => {
  await using one = await another({ tps: 200 });
  await using other = await another({ tps: 200 });
  await preparedBatch(host.store, {
    batchId: 'rate',
    chunks: 4,
    chunkSize: 60,
    tasks: 2,
    text: (_, position) => (position % 2 === 0 ? 'short' : 'long '.repeat(40)),
  });
  const begun = Date.now();
  const ends = await Promise.all([one.deliver('rate', 0), other.deliver('rate', 1)]);
  assert.ok(ends.every((end) => end?.kind === 'done'));
  const segments = (await simulator.summary()).segments;
  assert.equal(segments, 4 * 60 * 1.5);
  const seconds = (Date.now() - begun) / 1_000;
  assert.ok(seconds > segments / 200 - 0.3, `${segments} segments in ${seconds} s`);
  assert.ok(seconds < (segments / 200) * 2.5, `${segments} segments in ${seconds} s`);
  assert.ok(one.progress.length > 0);
});

test('nothing leaves after notAfter', async () => {
  const notAfterMs = Date.now() + 600;
  const batch = await preparedBatch(host.store, {
    batchId: 'expired',
    chunks: 4,
    chunkSize: 500,
    ratePerSecond: 500,
    definition: { notAfter: new Date(notAfterMs).toISOString() },
  });
  const outcome = await host.deliver('expired');
  assert.ok(outcome?.kind === 'yielded');
  assert.equal(outcome.stop, undefined);
  const { counts } = outcome.result!;
  assert.ok(counts!.accepted > 0 && counts!.pending > 0);
  assert.equal(totalOf(counts!), batch.total);
  assert.ok([...simulator.messages()].every(({ at }) => at <= notAfterMs + 50));
});
