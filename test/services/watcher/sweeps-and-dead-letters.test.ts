import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { DeadLetter, DeadLetterView, DeadListAnswer } from '../../../contracts/dead-api.ts';
import { phaseName } from '../../../contracts/states.ts';
import { partitionConsumers } from '../../../contracts/streams.ts';
import { deadSubject, STREAMS, stepConsumer, stepSubject } from '../../../contracts/subjects.ts';
import { silentLogger } from '../../../lib/log/logger.ts';
import { createRegistry } from '../../../lib/metrics/registry.ts';
import { freshHeaders } from '../../../lib/nats/carried-headers.ts';
import { connectNats, type Nats } from '../../../lib/nats/connect.ts';
import { deadHeader } from '../../../lib/nats/dead-letter.ts';
import { startWatcher } from '../../../services/watcher/component.ts';
import { engineRig, phoneOf, type Rig, sumOf } from '../../engine/rig.ts';
import { until } from '../../support/until.ts';

const PHASES = ['validation', 'partition', 'preparation', 'delivery', 'statistics', 'cleanup'] as const;
const FAR_AWAY = new Date(Date.now() + 3_600_000);

let rig: Rig;
let nats: Nats;
let watcher: ReturnType<typeof startWatcher>;

before(async () => {
  rig = await engineRig({ processes: { host: ['batch', 'tables', 'steps'] } });
  nats = await connectNats({ url: rig.servers.natsUrl, name: 'watcher', log: silentLogger() });
  watcher = startWatcher({
    nats,
    store: rig.store,
    registry: createRegistry({ service: 'watcher', version: '1.0.0' }),
    log: silentLogger(),
    version: '1.0.0',
    times: {
      everyMs: 100,
      unpublishedAfterMs: 10_000,
      missingEveryMs: 300,
      silentAfterMs: 500,
      untakenAfterMs: 1_500,
      givenUpEveryMs: 500,
    },
  });
  await watcher.start();
});
after(async () => {
  await watcher?.stop();
  await nats?.close();
  await rig?.[Symbol.asyncDispose]();
});

const pauseStep = (step: string) => rig.jsm.consumers.pause(STREAMS.steps, stepConsumer(step), FAR_AWAY);
const resumeStep = (step: string) => rig.jsm.consumers.resume(STREAMS.steps, stepConsumer(step));

/** While they are paused no actor has a turn. */
const pauseActors = () =>
  Promise.all(
    partitionConsumers().map(({ stream, durable_name }) =>
      rig.jsm.consumers.pause(stream, durable_name, FAR_AWAY),
    ),
  );
const resumeActors = () =>
  Promise.all(
    partitionConsumers().map(({ stream, durable_name }) => rig.jsm.consumers.resume(stream, durable_name)),
  );

const purgeMessages = (id: string) => rig.jsm.streams.purge(STREAMS.steps, { filter: `sms.step.*.${id}.*` });
const deleteDocuments = (batchId: string) => rig.store.tasks.deleteMany({ batchId });

async function begin(id: string, phase: string): Promise<void> {
  const batch = {
    name: id,
    content: 'Hello',
    providers: ['simulator'],
    steps: PHASES.filter((step) => step !== 'cleanup' || phase === 'cleanup'),
    recipients: [{ phone: phoneOf(1) }, { phone: phoneOf(2) }],
  };
  await rig.call('batch', 'create', { id, batch, start: true });
  await rig.events.state(id, `${phaseName(phase)}Running`, { withinMs: 60_000 });
  // Its task's message is published behind the event.
  await until(`the task of ${id}`, () => taskMessage(id, phase));
}

const taskMessage = async (id: string, phase: string) =>
  (await rig.jsm.streams.getMessage(STREAMS.steps, { last_by_subj: `sms.step.${phase}.${id}.*` })) ??
  undefined;

const foundIn = (id: string): Set<string> =>
  new Set(
    rig.events.of(id, 'swept').flatMap(({ body }) => body.found.map((each: { what: string }) => each.what)),
  );

describe('a batch that was damaged by hand is set going by the sweep alone', () => {
  const found = new Set<string>();
  for (const phase of PHASES) {
    it(`in ${phase}: task documents, stream messages, the outbox’s publishes, the answer`, async () => {
      const [documents, messages, outbox, answer] = ['documents', 'messages', 'outbox', 'answer'].map(
        (damage) => `${phase}-${damage}`,
      ) as [string, string, string, string];
      const all = [documents, messages, outbox, answer];
      await pauseStep(phase);
      await Promise.all(all.map((id) => begin(id, phase)));
      await pauseActors();
      await deleteDocuments(documents);
      await purgeMessages(messages);
      await deleteDocuments(outbox);
      await purgeMessages(outbox);
      // As after a crash between the write of a turn and its publishes.
      await rig.store.batches.updateOne(
        { _id: outbox },
        { $inc: { version: 1 }, $set: { unpublished: true, updatedAt: Date.now() - 60_000 } },
      );
      await resumeStep(phase);
      const answered = await until('the answer', async () => {
        const last_by_subj = `sms.cmd.*.${answer}.step-done`;
        return (await rig.jsm.streams.getMessage(STREAMS.commands, { last_by_subj })) ?? undefined;
      });
      await rig.jsm.streams.deleteMessage(STREAMS.commands, answered.seq);
      await resumeActors();

      const ends = await Promise.all(all.map((id) => rig.ended(id, ['Succeeded'], 60_000)));
      for (const { id, counts } of ends) {
        // Nothing tells whether a delivery without its journal has sent anything.
        const unknown = phase === 'delivery' && id === documents ? 2 : 0;
        assert.deepEqual([id, counts.accepted, counts.unknown], [id, 2 - unknown, unknown]);
      }
      for (const id of all) {
        assert.ok(foundIn(id).size > 0, id);
        for (const what of foundIn(id)) found.add(`${id.slice(phase.length + 1)}: ${what}`);
      }
    });
  }

  it('was told of by what was found', () => {
    // On a slow machine one phase may be set going by another finding, but not all six.
    const expected = [
      'documents: no-document',
      'messages: no-message',
      'outbox: unpublished',
      'answer: no-answer',
    ];
    for (const each of expected) assert.ok(found.has(each), `${each} in ${[...found].join(', ')}`);
  });

  it('a delivery that has lost its journal half-way: nobody is sent anything twice', async () => {
    await rig.simulator.reset();
    await rig.table('people', 1_500, 1_000);
    const batch = {
      name: 'journal',
      content: 'Hello World',
      tableStorageName: 'people',
      providers: ['simulator'],
      ratePerSecond: 500,
    };
    await rig.call('batch', 'create', { id: 'journal', batch, start: true });
    await until('some are sent', async () => (await rig.simulator.summary()).messages! >= 400, 60_000);
    await deleteDocuments('journal');
    const { counts } = await rig.ended('journal', ['Succeeded'], 60_000);
    assert.equal(sumOf(await rig.account('journal')), 1_500);
    assert.ok(counts.unknown > 0, JSON.stringify(counts));
    const { missing, unexpected, doubled } = await rig.ledger('journal');
    assert.deepEqual({ missing, unexpected, doubled }, { missing: 0, unexpected: 0, doubled: 0 });
  });

  it('a pause that waits for a task without a document arrives, and nothing is sent meanwhile', async () => {
    await rig.simulator.reset();
    await pauseStep('delivery');
    await begin('held', 'delivery');
    await rig.command('held', 'pause');
    await rig.events.state('held', 'DeliveryPausing');
    await deleteDocuments('held');
    await resumeStep('delivery');
    await rig.events.state('held', 'DeliveryPaused', { withinMs: 60_000 });
    assert.equal((await rig.simulator.summary()).messages, 0);
    await rig.call('batch', 'resume', { id: 'held' });
    assert.equal((await rig.ended('held', ['Succeeded'])).counts.unknown, 2);
  });
});

describe('a sweep', () => {
  it('says that nobody takes a task', async () => {
    await pauseStep('validation');
    await begin('waiting', 'validation');
    const { body } = await rig.events.first(
      'no holder',
      (seen) => seen.batchId === 'waiting' && seen.event === 'swept',
      { withinMs: 60_000 },
    );
    assert.deepEqual(body.found, [{ what: 'no-holder', task: 0 }]);
    await resumeStep('validation');
    await rig.ended('waiting', ['Succeeded']);
  });

  it('wakes a batch that is due, and one whose time is over', async () => {
    const batch = { name: 'due', content: 'Hello', recipients: [{ phone: phoneOf(1) }] };
    const soon = () => new Date(Date.now() + 1_500).toISOString();
    const scheduled = { ...batch, providers: ['simulator'], scheduleTime: soon(), autoTrigger: true };
    await rig.call('batch', 'create', { id: 'due', batch: scheduled });
    assert.equal((await rig.ended('due')).state, 'Succeeded');
    await rig.call('batch', 'create', { id: 'over', batch: { ...batch, notAfter: soon() } });
    assert.equal((await rig.ended('over')).state, 'Failed');
    assert.ok(foundIn('due').has('due'));
    assert.ok(foundIn('over').has('deadline'));
  });
});

describe('dead letters', () => {
  const letters = async (stream?: string): Promise<DeadListAnswer['letters']> =>
    (await rig.call<DeadListAnswer>('dead', 'list', stream === undefined ? {} : { stream })).letters;

  /** As any service buries what it cannot handle. */
  const bury = (stream: string, subject: string, body: string, headers: Record<string, string>) =>
    rig.js.publish(deadSubject(stream, subject), body, { headers: freshHeaders(headers) });

  it('are listed by stream, shown with body and headers, and dropped', async () => {
    const subject = stepSubject('validation', 'nobody', 0, 1);
    await rig.js.publish(subject, 'no JSON');
    const letter = await until('the letter', async () =>
      (await letters(STREAMS.steps)).find((each) => each.subject === subject),
    );
    assert.match(letter.reason, /not JSON/);
    assert.equal(letter.deliveries, 3);
    assert.ok(!(await letters(STREAMS.receipts)).some(({ id }) => id === letter.id));
    const whole = await rig.call<DeadLetter>('dead', 'get', { id: letter.id });
    assert.deepEqual([whole.body, whole.encoding, whole.subject], ['no JSON', 'utf8', subject]);
    const { dropped, refused } = await rig.call('dead', 'drop', {
      ids: [letter.id, 999_999],
      reason: 'ours',
    });
    assert.deepEqual(dropped, [letter.id]);
    assert.equal(refused[0].error.code, 'not-found');
    assert.equal((await rig.refusal('dead', 'get', { id: letter.id })).code, 'not-found');
  });

  it('come page by page', async () => {
    for (const n of [1, 2, 3]) await bury('SMS_EVENTS', `sms.evt.page.${n}`, '{}', {});
    const first = await rig.call<DeadListAnswer>('dead', 'list', { stream: 'SMS_EVENTS', limit: 2 });
    const { nextCursor: cursor } = first;
    const second = await rig.call<DeadListAnswer>('dead', 'list', { stream: 'SMS_EVENTS', limit: 2, cursor });
    assert.deepEqual([first.letters.length, second.letters.length], [2, 1]);
    assert.ok(first.total >= 3);
    const { message, errors } = await rig.refusal('dead', 'list', { stream: 'SMS_DEAD' });
    assert.match(`${message} ${JSON.stringify(errors)}`, /SMS_COMMANDS/);
  });

  it('are replayed to where they came from, and go; what cannot be replayed stays, with the reason', async () => {
    const batch = { name: 'replay', content: 'Hello', recipients: [{ phone: phoneOf(1) }] };
    await rig.call('batch', 'create', { id: 'replay', batch });
    const start = 'sms.cmd.7.replay.start';
    await bury(STREAMS.commands, start, '{"reason":"from the dead"}', {
      [deadHeader.stream]: STREAMS.commands,
      [deadHeader.subject]: start,
      [deadHeader.reason]: 'a fault of ours, mended since',
    });
    await bury(STREAMS.commands, 'sms.cmd.7.replay.resume', '{}', {});
    const [told, untold] = (await letters(STREAMS.commands)).slice(-2) as [DeadLetterView, DeadLetterView];
    const { replayed, refused } = await rig.call('dead', 'replay', { ids: [told.id, untold.id] });
    assert.deepEqual(replayed, [{ id: told.id, subject: 'sms.cmd.replay.start' }]);
    assert.deepEqual([refused[0].id, refused[0].error.code], [untold.id, 'invalid']);
    const { body } = await rig.events.first(
      'the start',
      (seen) => seen.batchId === 'replay' && seen.body.reason === 'from the dead',
    );
    assert.ok(body);
    const left = (await letters(STREAMS.commands)).map(({ id }) => id);
    assert.ok(!left.includes(told.id) && left.includes(untold.id));
  });

  for (const { told, type } of [
    { told: 'an advisory', type: 'credit-check' },
    { told: 'the sweep, where no watcher heard it', type: 'fraud-check' },
  ]) {
    it(`what the server gave up on is found by ${told}: its phase fails and can be retried`, async () => {
      await rig.call('step', 'register', { type, timeoutMs: 600_000, place: { before: 'preparation' } });
      await rig.jsm.consumers.add(STREAMS.steps, {
        durable_name: `theirs-${type}`,
        filter_subject: `sms.step.${type}.*.*`,
        ack_policy: 'explicit',
        ack_wait: 300_000_000,
        max_deliver: 2,
      });
      const consumer = await rig.js.consumers.get(STREAMS.steps, `theirs-${type}`);
      if (type === 'fraud-check') await watcher.stop();
      const id = `given-up-${type}`;
      const recipients = [{ phone: phoneOf(1) }];
      const steps = ['validation', type, 'preparation', 'delivery', 'statistics'];
      const batch = { name: id, content: 'Hello', providers: ['simulator'], steps, recipients };
      await rig.call('batch', 'create', { id, batch, start: true });
      // A program that takes the task twice and dies each time.
      for (const _delivery of [1, 2]) assert.ok(await consumer.next({ expires: 20_000 }));
      // It is given up when it would be handed out a third time: to whoever asks.
      await until(
        'the server has given it up',
        async () => {
          assert.equal(await consumer.next({ expires: 1_000 }), null);
          return (await consumer.info()).num_ack_pending === 0;
        },
        60_000,
      );
      if (type === 'fraud-check') await watcher.start();
      await rig.events.state(id, `${phaseName(type)}Failed`, { withinMs: 60_000 });
      const { reason } = await rig.call('batch', 'get', { id });
      assert.deepEqual([reason.code, /2 deliveries/.test(reason.message)], ['given-up', true]);
      const letter = (await letters(STREAMS.steps)).find(({ subject }) => subject?.includes(id));
      assert.match(letter?.reason ?? '', new RegExp(`theirs-${type} gave it up`));
      await rig.call('batch', 'retry', { id });
      assert.ok(await consumer.next({ expires: 20_000 }), 'handed out again, in a new epoch');
      await rig.call('batch', 'abort', { id });
    });
  }
});
