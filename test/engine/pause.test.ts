import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { OutcomeCounts } from '../../contracts/outcomes.ts';
import { engineRig, HOST, type Rig, sumOf, WORKER } from './rig.ts';

/** More than the pipe of two workers, and seconds of sending at full speed. */
const MANY = 60_000;
const FAST_PER_SECOND = 10_000;

let rig: Rig;
before(async () => {
  rig = await engineRig({
    processes: { 'host-a': HOST, 'host-b': ['batch'], 'worker-a': WORKER, 'worker-b': WORKER },
    behaviour: { latencyMs: 100 },
    account: { window: 2_000 },
  });
  await rig.table('many', MANY);
  await rig.table('few', 60, 1_000_000);
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

const people = (tableStorageName: string, more: object = {}) => ({
  name: tableStorageName,
  content: 'Hello World',
  tableStorageName,
  providers: ['simulator'],
  ...more,
});

interface Arrivals {
  /** Messages that arrived later than this, ms since 1970, and the last arrival. */
  after(atMs: number): Promise<{ late: number; lastAtMs: number; count: number }>;
}

const arrivals: Arrivals = {
  async after(atMs) {
    let late = 0;
    let lastAtMs = 0;
    let count = 0;
    for await (const { at } of rig.simulator.ledger()) {
      count += 1;
      lastAtMs = Math.max(lastAtMs, at);
      if (at > atMs) late += 1;
    }
    return { late, lastAtMs, count };
  },
};

const messages = async (): Promise<number> => (await rig.simulator.summary()).messages!;

/** Resolves when the carrier has this many, with the rate at which the last came. */
async function until(count: number): Promise<number> {
  let before = await messages();
  let beforeAt = performance.now();
  for (let perSecond = 0; ; ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = await messages();
    if (now > before) perSecond = ((now - before) * 1_000) / (performance.now() - beforeAt);
    [before, beforeAt] = [now, performance.now()];
    if (now >= count) return perSecond;
  }
}

/** Which workers have had a task of the delivery. */
async function holdersOf(id: string): Promise<string[]> {
  const tasks = await rig.store.tasks.find({ batchId: id, step: 'delivery' }).toArray();
  return [...new Set(tasks.flatMap(({ holder }) => (holder ? [holder] : [])))].sort();
}

/** Time of the event in which the command was accepted. */
async function acceptedAt(id: string, event: string): Promise<number> {
  const seen = await rig.events.first(event, (each) => each.batchId === id && each.body.event === event);
  return Date.parse(seen.body.at);
}

async function assertAllOnce(id: string, total: number): Promise<void> {
  const account = await rig.account(id);
  assert.equal(sumOf(account), total);
  assert.equal(account.counts.accepted, total, JSON.stringify(account.counts));
  const { missing, unexpected, doubled, received, examples } = await rig.ledger(id);
  assert.deepEqual(
    { missing, unexpected, doubled, received },
    { missing: 0, unexpected: 0, doubled: 0, received: total },
    JSON.stringify(examples),
  );
}

/** Redis hears of a task's last figures a little later than MongoDB has them. */
async function shows(counts: OutcomeCounts, read: () => Promise<{ counts: OutcomeCounts }>): Promise<void> {
  const deadlineAt = performance.now() + 30_000;
  let shown = await read();
  while (!isDeepStrictEqual(shown.counts, counts) && performance.now() < deadlineAt) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    shown = await read();
  }
  assert.deepEqual(shown.counts, counts);
}

describe('pause', () => {
  it('at 5 messages/s', async () => {
    await rig.simulator.reset();
    await rig.call('batch', 'create', {
      id: 'slow',
      batch: people('few', { ratePerSecond: 5 }),
      start: true,
    });
    await until(8);
    await rig.command('slow', 'pause', '{}');
    const pausedAtMs = await acceptedAt('slow', 'DeliveryPause');
    await rig.events.state('slow', 'DeliveryPaused', { withinMs: 10_000 });
    const { late, count } = await arrivals.after(pausedAtMs + 1_000);
    assert.equal(late, 0);
    assert.ok(count < 60);
    // The task has yielded in the middle: get and list say what the account says, as status does.
    const { counts } = await rig.account('slow');
    assert.equal(counts.accepted, count);
    await shows(counts, () => rig.call('batch', 'get', { id: 'slow' }));
    await shows(counts, async () => (await rig.call('batch', 'list', { name: 'few' })).batches[0]);
    await rig.call('batch', 'update', { id: 'slow', patch: { ratePerSecond: 200 } });
    await rig.command('slow', 'resume', '{}');
    await rig.ended('slow', ['Succeeded']);
    await assertAllOnce('slow', 60);
  });

  it('at full speed, two workers and 100 ms of latency: nothing later than a second; resume finishes it, no one twice', async (t) => {
    await rig.simulator.reset();
    await rig.call('batch', 'create', { id: 'fast', batch: people('many'), start: true });
    const perSecond = await until(15_000);
    await rig.command('fast', 'pause', '{}');
    const pausedAtMs = await acceptedAt('fast', 'DeliveryPause');
    await rig.events.state('fast', 'DeliveryPaused', { withinMs: 10_000 });
    const { late, lastAtMs, count } = await arrivals.after(pausedAtMs + 1_000);
    const holders = await holdersOf('fast');
    t.diagnostic(
      `${Math.round(perSecond)} messages/s by ${holders}; the last of ${count} came ${lastAtMs - pausedAtMs} ms after the pause`,
    );
    assert.deepEqual(holders, ['worker-a', 'worker-b']);
    assert.equal(late, 0, `the last came ${lastAtMs - pausedAtMs} ms after the pause`);
    assert.ok(count < MANY, 'the pause came in mid-delivery');
    const paused = await rig.account('fast');
    assert.equal(sumOf(paused), MANY);
    assert.equal(paused.counts.accepted, count);
    assert.equal(paused.counts.inFlight, 0);
    await rig.command('fast', 'resume', '{}');
    assert.equal((await rig.ended('fast', ['Succeeded'])).counts.accepted, MANY);
    await assertAllOnce('fast', MANY);
    if (perSecond < FAST_PER_SECOND) t.diagnostic(`this machine did not reach ${FAST_PER_SECOND} messages/s`);
  });
});

describe('a frozen worker', () => {
  it('pause while one of two sleeps: nothing leaves, also when it wakes up; resume finishes it, no one twice', async () => {
    await rig.simulator.reset();
    const batch = people('few', { ratePerSecond: 20 });
    await rig.call('batch', 'create', { id: 'sleeper', batch, start: true });
    await until(10);
    const [holder] = await holdersOf('sleeper');
    const worker = rig.processes.get(holder!)!;
    worker.kill('SIGSTOP');
    await rig.command('sleeper', 'pause', '{}');
    const pausedAtMs = await acceptedAt('sleeper', 'DeliveryPause');
    // Somebody else accounts for what it had.
    await rig.events.state('sleeper', 'DeliveryPaused', { withinMs: 60_000 });
    worker.kill('SIGCONT');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const { late, count } = await arrivals.after(pausedAtMs + 1_000);
    assert.equal(late, 0);
    assert.ok(count < 60);
    await rig.command('sleeper', 'resume', '{}');
    const { counts } = await rig.ended('sleeper', ['Succeeded']);
    assert.equal(counts.accepted + counts.unknown, 60);
    const { missing, unexpected, doubled } = await rig.ledger('sleeper');
    assert.deepEqual({ missing, unexpected, doubled }, { missing: 0, unexpected: 0, doubled: 0 });
  });
});

describe('the ends that are no success', () => {
  it('abort at full speed: nothing later than a second; what is unsent stays pending', async () => {
    await rig.simulator.reset();
    await rig.call('batch', 'create', { id: 'abort', batch: people('many'), start: true });
    await until(10_000);
    await rig.command('abort', 'abort', JSON.stringify({ reason: 'wrong text', operatorId: 'ann' }));
    const abortedAtMs = await acceptedAt('abort', 'Abort');
    const view = await rig.ended('abort', ['Aborted']);
    const { late, count } = await arrivals.after(abortedAtMs + 1_000);
    assert.equal(late, 0);
    const { counts } = view;
    assert.deepEqual(
      [counts.accepted, counts.pending, counts.unknown, counts.inFlight],
      [count, MANY - count, 0, 0],
    );
    const aborted = view.history?.find(({ event }) => event === 'Abort');
    assert.deepEqual([aborted?.operatorId, aborted?.reason], ['ann', 'wrong text']);
    const { missing, unexpected, doubled } = await rig.ledger('abort');
    assert.deepEqual({ missing, unexpected, doubled }, { missing: 0, unexpected: 0, doubled: 0 });
  });

  it('notAfter: nothing leaves later, and the rest expires', async () => {
    await rig.simulator.reset();
    const notAfter = new Date(Date.now() + 6_000).toISOString();
    await rig.call('batch', 'create', {
      id: 'late',
      batch: people('few', { ratePerSecond: 5, notAfter }),
      start: true,
    });
    const view = await rig.ended('late');
    assert.equal(view.state, 'Failed');
    assert.equal(view.reason?.code, 'not-after');
    const { late, count } = await arrivals.after(Date.parse(notAfter) + 100);
    assert.equal(late, 0);
    assert.ok(count > 0 && count < 60, `${count}`);
    assert.deepEqual(
      [view.counts.accepted, view.counts.expired, view.counts.pending],
      [count, 60 - count, 0],
    );
  });
});

describe('rates', () => {
  it('200 segments a second over two workers, counted in segments', async (t) => {
    await rig.simulator.reset();
    await rig.table('rated', 16_000, 2_000_000);
    // Two segments each.
    const content = 'x'.repeat(200);
    await rig.call('batch', 'create', {
      id: 'rated',
      batch: people('rated', { content, ratePerSecond: 200 }),
      start: true,
    });
    await until(600);
    t.diagnostic(`holders: ${await holdersOf('rated')}`);
    await rig.call('batch', 'abort', { id: 'rated' });
    await rig.ended('rated', ['Aborted']);
    const times: number[] = [];
    let segments = 0;
    for await (const entry of rig.simulator.ledger()) {
      times.push(entry.at);
      segments += entry.segments;
    }
    assert.equal(segments, times.length * 2);
    times.sort((a, b) => a - b);
    const perSecond = (segments * 1_000) / (times.at(-1)! - times[0]!);
    let busiest = 0;
    let first = 0;
    times.forEach((at, index) => {
      while (times[first]! <= at - 1_000) first += 1;
      busiest = Math.max(busiest, (index - first + 1) * 2);
    });
    t.diagnostic(`${Math.round(perSecond)} segments/s, ${busiest} in the busiest second`);
    assert.ok(perSecond <= 215, `${perSecond} segments/s`);
    assert.ok(perSecond >= 130, `${perSecond} segments/s`);
    // A second's worth, a quarter that may be reserved ahead, and the carrier's own clock when its process stalls.
    assert.ok(busiest <= 300, `${busiest} segments in one second`);
    const { missing, unexpected, doubled } = await rig.ledger('rated');
    assert.deepEqual({ missing, unexpected, doubled }, { missing: 0, unexpected: 0, doubled: 0 });
  });

  it('a carrier that throttles costs no attempt, and everything is delivered', async () => {
    await rig.simulator.reset();
    await rig.simulator.rules({ tpsLimit: 300, latencyMs: 5 });
    await rig.table('throttled', 1_500, 3_000_000);
    await rig.call('batch', 'create', { id: 'throttled', batch: people('throttled'), start: true });
    const view = await rig.ended('throttled', ['Succeeded']);
    assert.equal(view.counts.accepted, 1_500);
    assert.ok((await rig.simulator.summary()).throttled! > 0);
    await assertAllOnce('throttled', 1_500);
  });
});
