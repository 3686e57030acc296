import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { phaseName } from '../../../contracts/states.ts';
import { partitionConsumers } from '../../../contracts/streams.ts';
import { STREAMS, stepConsumer } from '../../../contracts/subjects.ts';
import { silentLogger } from '../../../lib/log/logger.ts';
import { createRegistry } from '../../../lib/metrics/registry.ts';
import { connectNats, type Nats } from '../../../lib/nats/connect.ts';
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
      unpublishedAfterMs: 2_000,
      missingEveryMs: 300,
      silentAfterMs: 500,
      untakenAfterMs: 3_000,
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
  await rig.events.state(id, `${phaseName(phase)}Running`);
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
      assert.ok(foundIn(documents).has('no-document'), documents);
      assert.ok(foundIn(messages).has('no-message'), messages);
      assert.ok(foundIn(outbox).has('unpublished'), outbox);
      assert.ok(foundIn(answer).has('no-answer'), answer);
    });
  }

  it('a delivery that has lost its journal half-way: nobody is sent anything twice', async () => {
    await rig.simulator.reset();
    await rig.table('people', 3_000, 1_000);
    const batch = {
      name: 'journal',
      content: 'Hello World',
      tableStorageName: 'people',
      providers: ['simulator'],
      ratePerSecond: 500,
    };
    await rig.call('batch', 'create', { id: 'journal', batch, start: true });
    await until('some are sent', async () => (await rig.simulator.summary()).messages! >= 700, 60_000);
    await deleteDocuments('journal');
    const { counts } = await rig.ended('journal', ['Succeeded'], 60_000);
    assert.equal(sumOf(await rig.account('journal')), 3_000);
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
    await pauseStep('preparation');
    await rig.call('batch', 'create', { id: 'over', batch: { ...batch, notAfter: soon() }, start: true });
    await rig.events.state('over', 'PreparationPausing');
    await resumeStep('preparation');
    assert.equal((await rig.ended('over')).state, 'Failed');
    assert.ok(foundIn('due').has('due'));
    assert.ok(foundIn('over').has('deadline'));
  });
});
