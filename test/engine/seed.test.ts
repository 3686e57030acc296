import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { BatchView } from '../../contracts/batch-api.ts';
import { startChild } from '../../scripts/engine/child-process.ts';
import { engineEnvironment } from '../../scripts/engine/engine.ts';
import { engineRig, HOST, phoneOf, type Rig, sumOf } from './rig.ts';

const PEOPLE = 30;

let rig: Rig;
before(async () => {
  rig = await engineRig({
    processes: { 'host-a': HOST, 'host-b': ['batch'] },
    behaviour: { rules: [{ suffix: '7', commandStatus: 0x0b }] },
  });
  const worker = await startChild({
    name: 'worker',
    script: 'test/engine/fixtures/steps-with-credit-check.ts',
    logDir: rig.servers.logDir,
    isReady: (line) => line.msg === 'ready',
    env: engineEnvironment('worker', { servers: rig.servers, providers: [rig.simulator.account()] }),
  });
  rig.processes.set('worker', worker);
  // Filled by others, as the seed has it: plain documents.
  await rig.store.db.collection('sms_data').insertMany(
    Array.from({ length: PEOPLE }, (_, n) => ({
      phone: phoneOf(n),
      city: n % 2 ? '北京' : 'London',
      extra: { n },
    })),
  );
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

const sms = { name: '测试批次', tableStorageName: 'sms_data', content: 'Hello World', messageType: 'SMS' };

async function textsOf(): Promise<Map<string, string[]>> {
  const texts = new Map<string, string[]>();
  for await (const { msisdn, text, commandStatus } of rig.simulator.ledger()) {
    if (commandStatus === 0)
      texts.set(`+${msisdn.replace('+', '')}`, [...(texts.get(`+${msisdn.replace('+', '')}`) ?? []), text]);
  }
  return texts;
}

const numbers = (fits: (n: number) => boolean): string[] =>
  Array.from({ length: PEOPLE }, (_, n) => n)
    .filter(fits)
    .map(phoneOf)
    .sort();
const refused = numbers((n) => n % 10 === 7);
const taken = numbers((n) => n % 10 !== 7);

describe('the seed’s examples', () => {
  it('create and start the batch 测试批次 over sms_data; its status with its progress', async () => {
    await rig.simulator.reset();
    const { id } = await rig.call<BatchView>('batch', 'create', { batch: sms });
    await rig.call('batch', 'start', { id });
    const view = await rig.ended(id);
    assert.deepEqual([view.state, view.name, view.total], ['Succeeded', '测试批次', PEOPLE]);
    assert.deepEqual([view.counts.accepted, view.counts.rejected], [taken.length, refused.length]);
    assert.deepEqual(
      [...(await textsOf())].sort(),
      taken.map((phone) => [phone, ['Hello World']]),
    );
    await rig.events.first('the end', (seen) => seen.batchId === id && seen.event === 'ended');
    const status = await rig.call('batch', 'status', { id });
    assert.equal(status.total, PEOPLE);
    assert.equal(
      Object.values(status.counts as Record<string, number>).reduce((a, b) => a + b, 0),
      PEOPLE,
    );
    assert.equal(typeof status.percent, 'number');
    assert.equal(typeof status.state, 'string');
    assert.deepEqual(
      view.history?.map(({ event }) => event).filter((event) => /Execute$/.test(`${event}`)),
      [
        'InitialExecute',
        'ValidationExecute',
        'PartitionExecute',
        'PreparationExecute',
        'DeliveryExecute',
        'StatisticsExecute',
      ],
    );
  });

  it('a chain of steps, waited for', async () => {
    await rig.simulator.reset();
    const steps = ['validation', 'preparation', 'delivery'];
    const { id } = await rig.call<BatchView>('batch', 'create', { batch: { ...sms, steps }, start: true });
    const view = await rig.call<BatchView>('batch', 'wait', { id, timeoutMs: 60_000 }, 65_000);
    assert.equal(view.state, 'Succeeded');
    assert.deepEqual(view.chain, ['validation', 'partition', 'preparation', 'delivery', 'statistics']);
    assert.equal((await textsOf()).size, taken.length);
  });

  it('scheduled ahead, it starts by itself, not before its time', async () => {
    await rig.simulator.reset();
    const scheduleTime = new Date(Date.now() + 2_000).toISOString();
    const { id, state } = await rig.call<BatchView>('batch', 'create', {
      batch: { ...sms, scheduleTime, autoTrigger: true },
    });
    assert.equal(state, 'Scheduled');
    const fired = await rig.events.first(
      'the start',
      (seen) => seen.batchId === id && seen.body.event === 'InitialExecute',
    );
    const lateMs = Date.parse(fired.body.at) - Date.parse(scheduleTime);
    assert.ok(lateMs >= 0, `${-lateMs} ms early`);
    assert.ok(lateMs < 3_000, `${lateMs} ms late`);
    const view = await rig.ended(id);
    assert.equal(view.state, 'Succeeded');
    assert.equal(view.history?.filter(({ event }) => event === 'InitialExecute').length, 1);
  });
});

describe('a step of one’s own', () => {
  const steps = [
    'validation',
    'preparation',
    { type: 'credit-check', config: { account: 'shop' } },
    'delivery',
  ];

  it('is listed, checked, stands between preparation and delivery; it fails, and is retried', async () => {
    await rig.simulator.reset();
    const listed = await rig.call('step', 'list');
    assert.match(JSON.stringify(listed), /credit-check/);
    const wrong = await rig.call('batch', 'validate', {
      batch: {
        ...sms,
        steps: ['preparation', 'delivery', { type: 'credit-check', config: { acount: 'shop' } }],
      },
    });
    assert.ok(wrong.findings.length >= 2, JSON.stringify(wrong.findings));

    const { id } = await rig.call<BatchView>('batch', 'create', { batch: { ...sms, steps }, start: true });
    const failed = await rig.ended(id);
    assert.equal(failed.state, 'CreditCheckFailed');
    assert.equal(failed.reason?.code, 'no-credit');
    assert.equal(failed.reason?.errors?.[0]?.expected, `at least ${PEOPLE} segments`);
    assert.equal((await rig.simulator.summary()).messages, 0);
    await rig.store.db
      .collection<{ _id: string; segments: number }>('credits')
      .insertOne({ _id: 'shop', segments: 500 });
    await rig.call('batch', 'retry', { id });
    const view = await rig.ended(id);
    assert.equal(view.state, 'Succeeded');
    const executed = view.history?.map(({ event }) => event).filter((event) => /Execute$/.test(`${event}`));
    assert.deepEqual(executed?.slice(2), [
      'PartitionExecute',
      'PreparationExecute',
      'CreditCheckExecute',
      'DeliveryExecute',
      'StatisticsExecute',
    ]);
    assert.equal((await textsOf()).size, taken.length);
  });

  it('a built-in step that failed goes on from where it failed', async () => {
    await rig.simulator.reset();
    const { id } = await rig.call<BatchView>('batch', 'create', {
      batch: { ...sms, tableStorageName: 'not-yet' },
      start: true,
    });
    const failed = await rig.ended(id);
    assert.equal(failed.state, 'ValidationFailed');
    assert.equal(failed.reason?.errors?.[0]?.field, 'tableStorageName');
    await rig.table('not-yet', 3);
    await rig.call('batch', 'retry', { id });
    assert.equal((await rig.ended(id)).counts.accepted, 3);
  });
});

describe('child batches', () => {
  it('retry by filter sends only to the rejected', async () => {
    await rig.simulator.reset();
    await rig.call('batch', 'create', { id: 'parent', batch: sms, start: true });
    await rig.ended('parent', ['Succeeded']);
    await rig.simulator.reset();
    await rig.simulator.rules({ rules: [] });
    await rig.call('batch', 'retry', {
      id: 'parent',
      filter: { outcomes: ['rejected'] },
      childId: 'child',
      start: true,
    });
    await rig.events.state('child', 'Succeeded');
    const child = await rig.ended('child');
    assert.equal(child.parent?.batchId, 'parent');
    assert.deepEqual([child.total, child.counts.accepted], [refused.length, refused.length]);
    assert.deepEqual([...(await textsOf()).keys()].sort(), refused);
    assert.equal((await rig.ledger('child')).missing, 0);
    // By error code; and none of those that nobody was refused for.
    await rig.call('batch', 'retry', {
      id: 'parent',
      filter: { codes: ['0x0000000B'] },
      childId: 'by-code',
      start: true,
    });
    await rig.events.state('by-code', 'Succeeded');
    assert.equal((await rig.ended('by-code')).total, refused.length);
  });

  it('a clone of an aborted batch sends to those who were left, and to nobody twice', async () => {
    await rig.simulator.reset();
    await rig.simulator.rules({ rules: [] });
    await rig.call('batch', 'create', { id: 'cut', batch: { ...sms, ratePerSecond: 10 }, start: true });
    await rig.events.state('cut', 'DeliveryRunning');
    while ((await rig.simulator.summary()).messages! < 5)
      await new Promise((resolve) => setTimeout(resolve, 50));
    await rig.call('batch', 'abort', { id: 'cut' });
    const cut = await rig.ended('cut', ['Aborted']);
    assert.ok(cut.counts.pending > 0 && cut.counts.accepted > 0);
    await rig.call('batch', 'clone', {
      id: 'cut',
      childId: 'rest',
      start: true,
      patch: { ratePerSecond: 1_000 },
    });
    await rig.events.state('rest', 'Succeeded');
    const rest = await rig.ended('rest');
    assert.deepEqual([rest.total, rest.counts.accepted], [cut.counts.pending, cut.counts.pending]);
    const texts = await textsOf();
    assert.deepEqual(
      [...texts.keys()].sort(),
      numbers(() => true),
    );
    assert.ok([...texts.values()].every((each) => each.length === 1));
    assert.equal(sumOf(await rig.account('rest')), rest.total);
  });
});
