import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Objm } from '@nats-io/obj';
import { Registry } from 'prom-client';
import Type from 'typebox';
import type { BatchView } from '../../../contracts/batch-api.ts';
import type { PreviewAnswer, RunAnswer, ScheduleView } from '../../../contracts/schedule-api.ts';
import {
  batchTimer,
  STREAMS,
  scheduleTimer,
  timerSubject,
  UPLOADS_STORE,
} from '../../../contracts/subjects.ts';
import type { Part } from '../../../lib/lifecycle/part.ts';
import { request } from '../../../lib/nats/request.ts';
import { startBatch } from '../../../services/batch/component.ts';
import { type CleanupResult, cleanup as cleanupTask } from '../../../services/scheduler/tasks/cleanup.ts';
import { importAndStart } from '../../../services/scheduler/tasks/import-and-start.ts';
import type { TaskType } from '../../../services/scheduler/tasks/task-type.ts';
import { startTables } from '../../../services/tables/component.ts';
import { sentBatch } from '../../support/sent-batch.ts';
import { until } from '../../support/until.ts';
import { log, type SchedulerWorld, schedulerWorld } from './scheduler-world.ts';

let world: SchedulerWorld;
let scheduler: Part;
let batches: Part;

const counted: TaskType = {
  type: 'counted',
  description: 'Answers with its config.',
  configSchema: Type.Object({ fail: Type.Optional(Type.Boolean()), n: Type.Optional(Type.Number()) }),
  async run({ run }) {
    if (run.config.fail) throw new Error('as it was told');
    return { n: run.config.n ?? 0 };
  },
};

before(async () => {
  world = await schedulerWorld();
  const { nats, store } = world;
  batches = startBatch({
    nats,
    store,
    status: { store, log },
    registry: new Registry(),
    log,
    version: '0.0.0',
  });
  await batches.start();
  await store.db.collection<{ _id: string }>('provider_accounts').insertOne({ _id: 'main' });
  scheduler = await world.start({ tasks: [counted, cleanupTask, importAndStart], sweepEveryMs: 500 });
});
after(async () => {
  await scheduler?.stop();
  await batches?.stop();
  await world?.[Symbol.asyncDispose]();
});

const publishTo = (subject: string, payload: unknown = { hello: 'world' }) => ({
  kind: 'publish',
  subject,
  payload,
});
const everySecond = { cron: '* * * * * *', timeZone: 'UTC' };
const never = { cron: '0 0 0 1 1 *', timeZone: 'UTC' };
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
const batchCall = <T>(verb: string, body: object) =>
  request<T>(world.nats.nc, `sms.api.batch.${verb}`, body, { deadlineMs: 30_000 });

const template = {
  name: 'nightly of ${date}',
  content: 'Hello {{name}}',
  steps: ['validation'],
  providers: ['main'],
  recipients: [{ phone: '+447911123456', variables: { name: 'Ann' } }],
};

/** Works on the one task of a batch's phase, as a program of another language would. */
async function answer(batchId: string, verb: 'step-done' | 'step-yielded'): Promise<void> {
  const batch = await until(
    `${batchId} has a task out`,
    async () => {
      const found = await world.store.batches.findOne({ _id: batchId });
      return found?.work?.out.length ? found : undefined;
    },
    30_000,
  );
  const { incarnation, epoch, work } = batch;
  const body = { incarnation, epoch, step: work!.step, task: work!.out[0] };
  await world.nats.js.publish(`sms.cmd.${batchId}.${verb}`, JSON.stringify(body));
}

describe('a schedule', () => {
  it('fires once at its instant, and is done', async () => {
    const at = new Date(Date.now() + 1_500).toISOString();
    const made = await world.ask<ScheduleView>('create', {
      id: 'once',
      schedule: { at, target: publishTo('caught.once') },
      operatorId: 'ann',
    });
    assert.equal(made.state, 'active');
    assert.deepEqual(
      made.next.map(({ dueAt }) => dueAt),
      [at],
    );
    const { runs } = await world.docWhen('it is done', 'once', ({ state }) => state === 'done');
    assert.equal(runs.length, 1);
    assert.equal(runs[0]!.outcome, 'published');
    assert.ok(runs[0]!.decidedAt >= Date.parse(at));
    const came = await until('the message', async () => {
      const found = await world.caught('caught.once');
      return found.length > 0 && found;
    });
    assert.deepEqual(
      came.map(({ body }) => body),
      ['{"hello":"world"}'],
    );
    const view = await world.ask<ScheduleView>('get', { id: 'once' });
    assert.deepEqual([view.state, view.started, view.next.length, view.runs.length], ['done', 1, 0, 1]);
    assert.equal(view.history[0]?.operatorId, 'ann');
  });

  it('fires at every due time until it is paused, goes on when resumed, and ends when cancelled', async () => {
    const schedule = { ...everySecond, target: publishTo('caught.often') };
    await world.ask('create', { id: 'often', schedule });
    await world.docWhen('two runs', 'often', ({ started }) => started >= 2);
    const paused = await world.ask<ScheduleView>('pause', {
      id: 'often',
      operatorId: 'ann',
      reason: 'holiday',
    });
    assert.equal(paused.state, 'paused');
    assert.deepEqual([paused.paused?.note, paused.paused?.by, paused.next.length], ['holiday', 'ann', 0]);
    assert.equal(
      await world.nats.jsm.streams.getMessage(STREAMS.schedules, {
        last_by_subj: timerSubject(scheduleTimer('often')),
      }),
      null,
    );
    const { started } = await world.doc('often');
    await world.ask('resume', { id: 'often' });
    await world.docWhen('it goes on', 'often', (doc) => doc.started > started);
    await world.ask('update', { id: 'often', patch: { target: publishTo('caught.updated') } });
    await until('the new subject', async () => (await world.caught('caught.updated')).length > 0, 30_000);
    await world.ask('cancel', { id: 'often' });
    const refused = await world.refusal('resume', { id: 'often' });
    assert.equal(refused.code, 'state-forbids');
    const all = [...(await world.caught('caught.often')), ...(await world.caught('caught.updated'))];
    const doc = await world.doc('often');
    assert.equal(all.length, doc.started);
    assert.equal(new Set(all.map(({ msgId }) => msgId)).size, all.length, 'each run once');
  });

  it('is one, however often it is created; another one under its ID is a conflict', async () => {
    const schedule = { ...never, target: publishTo('caught.never') };
    const first = await world.ask<ScheduleView>('create', { id: 'twice', schedule });
    const second = await world.ask<ScheduleView>('create', { id: 'twice', schedule });
    assert.deepEqual([second.version, second.createdAt], [first.version, first.createdAt]);
    const error = await world.refusal('create', { id: 'twice', schedule: { ...schedule, jitterSeconds: 5 } });
    assert.equal(error.code, 'already-exists');
    const stale = await world.refusal('update', {
      id: 'twice',
      patch: { jitterSeconds: 5 },
      expectedVersion: 7,
    });
    assert.equal(stale.code, 'version-conflict');
    const changed = await world.ask<ScheduleView>('update', {
      id: 'twice',
      patch: { jitterSeconds: 5, gap: 'skip' },
    });
    assert.equal(changed.version, 2);
    const without = await world.ask<ScheduleView>('update', { id: 'twice', patch: { jitterSeconds: null } });
    assert.deepEqual([without.version, without.jitterSeconds, without.gap], [3, undefined, 'skip']);
  });

  it('has two updaters at once: what is armed is what is stored', async () => {
    await world.ask('create', { id: 'raced', schedule: { ...never, target: publishTo('caught.raced') } });
    await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        world.ask('update', { id: 'raced', patch: { cron: `0 ${i + 1} 0 1 1 *` } }),
      ),
    );
    const doc = await world.doc('raced');
    assert.equal(doc.version, 13);
    const armed = await world.nats.jsm.streams.getMessage(STREAMS.schedules, {
      last_by_subj: timerSubject(scheduleTimer('raced')),
    });
    assert.deepEqual(armed?.json(), { version: doc.version, dueAt: doc.next?.dueAt });
  });

  it('tells what it will do before it does it', async () => {
    const schedule = {
      cron: '0 30 2 * * *',
      timeZone: 'Europe/Berlin',
      target: {
        kind: 'batch.template',
        template: { name: 'n', content: 'Hi', tableStorageName: 'p-${date}' },
      },
    };
    const { runs } = await world.ask<PreviewAnswer>('preview', {
      id: 'nightly',
      schedule,
      from: '2027-03-27T12:00:00Z',
      count: 2,
    });
    assert.deepEqual(
      runs.map(({ dueAt, local, batchId }) => ({ dueAt, local, batchId })),
      [
        {
          dueAt: '2027-03-28T01:30:00.000Z',
          local: '2027-03-28T03:30:00+02:00',
          batchId: 'nightly-20270328T013000Z',
        },
        {
          dueAt: '2027-03-29T00:30:00.000Z',
          local: '2027-03-29T02:30:00+02:00',
          batchId: 'nightly-20270329T003000Z',
        },
      ],
    );
    assert.match(runs[0]!.note ?? '', /leaps over 2027-03-28T02:30:00/);
    const error = await world.refusal('preview', { schedule: { ...schedule, cron: '0 0 9 * *' } });
    assert.deepEqual(
      error.errors.map(({ field }) => field),
      ['cron'],
    );
  });

  it('is listed page by page', async () => {
    const ids: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await world.ask('list', { limit: 2, ...(cursor && { cursor }) });
      ids.push(...page.schedules.map(({ id }: ScheduleView) => id));
      cursor = page.nextCursor;
      if (!cursor) break;
    }
    assert.deepEqual(ids, [...ids].sort());
    for (const id of ['cleanup', 'statistics_sync', 'once', 'twice']) assert.ok(ids.includes(id), id);
    assert.equal((await world.refusal('get', { id: 'nobody' })).code, 'not-found');
  });

  it('a late one is missed, with an event; inside the window it fires at once', async () => {
    await scheduler.stop();
    const at = new Date(Date.now() + 300).toISOString();
    const missed = { at, catchUpSeconds: 0, target: publishTo('caught.missed') };
    const late = { at, target: publishTo('caught.late') };
    const other = await world.start({ tasks: [counted, cleanupTask, importAndStart] });
    await world.ask('create', { id: 'missed', schedule: { ...missed, at: inAnHour() } });
    await world.ask('create', { id: 'late', schedule: { ...late, at: inAnHour() } });
    await other.stop();
    for (const id of ['missed', 'late']) {
      // As if it had been armed an hour ago: its timer fires while no scheduler is up.
      await world.store.db.collection<{ _id: string }>('schedules').updateOne(
        { _id: id },
        {
          $set: {
            'definition.at': at,
            next: { dueAt: Date.parse(at), fireAt: Date.parse(at) },
            nextAt: Date.parse(at),
          },
          $inc: { revision: 1 },
        },
      );
      await world.nats.jsm.streams.purge(STREAMS.schedules, { filter: timerSubject(scheduleTimer(id)) });
      await world.nats.js.publish(
        timerSubject(scheduleTimer(id)),
        JSON.stringify({ version: 1, dueAt: Date.parse(at) }),
        {
          schedule: { specification: new Date(at), target: `sms.due.${scheduleTimer(id)}` },
        },
      );
    }
    await until('both have fired', async () => {
      const info = await world.nats.jsm.streams.info(STREAMS.schedules, { subjects_filter: 'sms.due.*' });
      return Object.keys(info.state.subjects ?? {}).length === 2;
    });
    scheduler = await world.start({ tasks: [counted, cleanupTask, importAndStart], sweepEveryMs: 500 });
    const doc = await world.docWhen('it is decided', 'missed', ({ state }) => state === 'done');
    assert.equal(doc.runs[0]?.outcome, 'missed');
    const [event] = await until('the event', async () => {
      const found = await world.events('sms.evt.missed.run-missed');
      return found.length > 0 && found;
    });
    assert.equal(event?.dueAt, at);
    assert.match(String(event?.reason), /late/);
    assert.equal(
      (await world.docWhen('it fires', 'late', ({ state }) => state === 'done')).runs[0]?.outcome,
      'published',
    );
    assert.deepEqual(await world.caught('caught.missed'), []);
  });

  it('whose timer is gone is armed again by the sweep, which says so', async () => {
    const schedule = { ...never, target: publishTo('caught.never') };
    await world.ask('create', { id: 'unarmed', schedule });
    const subject = timerSubject(scheduleTimer('unarmed'));
    await world.nats.jsm.streams.purge(STREAMS.schedules, { filter: subject });
    await until(
      'it is armed again',
      async () =>
        world.nats.jsm.streams
          .getMessage(STREAMS.schedules, { last_by_subj: subject })
          .then((found) => found ?? false),
      60_000,
    );
    const [event] = await until('the event', async () => {
      const found = await world.events('sms.evt.unarmed.schedule-rearmed');
      return found.length > 0 && found;
    });
    assert.match(String(event?.found), /no timer/);
  });
});

describe('what cannot hold is refused, with field, value and what is accepted', () => {
  const target = publishTo('caught.x');
  const rows: [what: string, schedule: () => object, ...fields: string[]][] = [
    ['neither at nor cron', () => ({ target }), 'cron'],
    ['both', () => ({ ...never, at: inAnHour(), target }), 'cron'],
    ['five fields', () => ({ cron: '0 9 * * *', timeZone: 'UTC', target }), 'cron'],
    ['a field out of range', () => ({ cron: '0 61 9 * * *', timeZone: 'UTC', target }), 'cron'],
    ['H', () => ({ cron: 'H 0 9 * * *', timeZone: 'UTC', target }), 'cron'],
    ['no zone', () => ({ cron: '0 0 9 * * *', target }), 'timeZone'],
    ['an unknown zone', () => ({ ...never, timeZone: 'Mars/Olympus', target }), 'timeZone'],
    ['an offset for a zone', () => ({ ...never, timeZone: '+02:00', target }), 'timeZone'],
    ['a past at', () => ({ at: '2020-01-01T00:00:00Z', target }), 'at'],
    [
      'no run before endAt',
      () => ({ ...never, endAt: new Date(Date.now() + 1_000).toISOString(), target }),
      'cron',
    ],
    [
      'a subject that is not allowed',
      () => ({ ...never, target: publishTo('$JS.API.INFO') }),
      'target/subject',
    ],
    ['a target of no kind', () => ({ ...never, target: { kind: 'mail' } }), 'schedule/target/kind'],
    ['a target that lacks something', () => ({ ...never, target: { kind: 'publish' } }), 'target/subject'],
    [
      'a template that would not validate',
      () => ({
        ...never,
        target: {
          kind: 'batch.template',
          template: { name: 'n', content: '{{a', tableStorageName: 'nowhere' },
        },
      }),
      'target/template/tableStorageName',
      'target/template/content',
    ],
    [
      'a batch that is not there',
      () => ({ ...never, target: { kind: 'batch.start', batchId: 'nobody' } }),
      'target/batchId',
    ],
    [
      'steps that do not hold',
      () => ({
        ...never,
        target: { kind: 'batch.start', batchId: 'nobody', steps: ['delivery', 'preparation'] },
      }),
      'target/batchId',
      'target/steps/1',
    ],
    [
      'a config that the task does not take',
      () => ({ ...never, target: { kind: 'task', task: 'counted', config: { n: 'x' } } }),
      'target/config/n',
    ],
    [
      'an excluded day of no calendar',
      () => ({ ...never, exclude: ['2026-13-01'], target }),
      'schedule/exclude/0',
    ],
  ];
  for (const [what, schedule, ...fields] of rows) {
    it(what, async () => {
      const error = await world.refusal('create', { id: 'bad', schedule: schedule() });
      assert.deepEqual(
        error.errors.map(({ field }) => field).sort(),
        [...fields].sort(),
        JSON.stringify(error),
      );
      for (const finding of error.errors) assert.ok(finding.expected.length > 3);
    });
  }

  it('a command is refused by an event; a good one is obeyed like the API', async () => {
    const command = (id: string, verb: string, body: object) =>
      world.nats.js.publish(`sms.schedule.${id}.${verb}`, JSON.stringify(body));
    await command('raw', 'create', {
      schedule: { cron: '0 0 9 * *', timeZone: 'UTC', target },
      requestId: 'r-1',
    });
    await command('raw', 'frobnicate', {});
    await command('raw', 'create', { schedule: { ...never, target } });
    await command('raw', 'pause', { reason: 'wait' });
    const doc = await world.docWhen('it is paused', 'raw', ({ state }) => state === 'paused');
    assert.equal(doc.paused?.note, 'wait');
    const rejected = await world.events('sms.evt.raw.schedule-rejected');
    assert.deepEqual(
      rejected.map(({ verb, error, requestId }) => [verb, (error as { code: string }).code, requestId]),
      [
        ['create', 'invalid', 'r-1'],
        ['frobnicate', 'unknown-verb', undefined],
      ],
    );
  });
});

describe('targets', () => {
  it('a template: each run creates a batch with a back-link; one that goes on makes the next be skipped', async () => {
    const schedule = { ...everySecond, target: { kind: 'batch.template', template } };
    await world.ask('create', { id: 'tpl', schedule });
    const doc = await world.docWhen('one is skipped', 'tpl', ({ runs }) =>
      runs.some(({ outcome }) => outcome === 'skipped'),
    );
    await world.ask('pause', { id: 'tpl' });
    const { batchId, dueAt } = doc.runs.find(({ outcome }) => outcome === 'started')!;
    const batch = await until('the batch', () =>
      batchCall<BatchView>('get', { id: batchId! }).catch(() => undefined),
    );
    assert.equal(batch.id, `tpl-${new Date(dueAt).toISOString().replaceAll(/[-:]|\.\d+/g, '')}`);
    assert.deepEqual(batch.origin, { kind: 'schedule', id: 'tpl', at: new Date(dueAt).toISOString() });
    assert.notEqual(batch.state, 'Pending');
    assert.match(batch.name!, /^nightly of \d{4}-\d\d-\d\d$/);
    const skipped = await world.events('sms.evt.tpl.run-skipped');
    assert.match(String(skipped[0]?.reason), /overlap: skip/);
    await batchCall('abort', { id: batchId! });
    await answer(batchId!, 'step-yielded');
    const ended = await world.docWhen('it hears of the end', 'tpl', ({ active }) => active.length === 0);
    assert.equal(ended.runs.find((run) => run.batchId === batchId)?.outcome, 'aborted');
  });

  it('buffer-one: one run waits for the end of the one before', async () => {
    const schedule = {
      ...everySecond,
      overlap: 'buffer-one',
      maxRuns: 2,
      target: { kind: 'batch.template', template, succeededHistoryLimit: 1 },
    };
    await world.ask('create', { id: 'buffer', schedule });
    const first = await world.docWhen('one waits', 'buffer', ({ buffered }) => buffered !== undefined);
    assert.equal(first.state, 'done', 'the two that it may have are begun');
    const waits = first.buffered!;
    await answer(first.active[0]!.batchId!, 'step-done');
    const second = await world.docWhen('it begins', 'buffer', ({ active }) => active[0]?.dueAt === waits);
    assert.equal(second.started, 2);
    await answer(second.active[0]!.batchId!, 'step-done');
    const ended = await world.docWhen('both have ended', 'buffer', ({ active }) => active.length === 0);
    assert.deepEqual(
      ended.runs.map(({ outcome }) => outcome),
      ['succeeded', 'succeeded'],
    );
    await until('the history keeps one', async () => {
      const batch = await world.store.batches.findOne({ _id: first.active[0]!.batchId! });
      return batch?.deletedAt !== undefined;
    });
  });

  it('a template with an upload: each run imports it into a table of its own', async () => {
    const { nats, store } = world;
    const tables = startTables({
      nats,
      store,
      config: { TABLE_IMPORT_DIRS: [], NATS_REPLICAS: 1 },
      registry: new Registry(),
      log,
      version: '0.0.0',
    });
    await tables.start();
    try {
      const uploads = await new Objm(nats.js).open(UPLOADS_STORE);
      await uploads.putBlob(
        { name: 'people.csv' },
        Buffer.from('phone,name\n+447911123456,Ann\n+447911123457,Bob\n'),
      );
      const { recipients: _none, ...rest } = template;
      const target = { kind: 'batch.template', template: { ...rest, upload: 'people.csv' } };
      await world.ask('create', { id: 'upload', schedule: { ...never, target } });
      const { run } = await world.ask<RunAnswer>('run', { id: 'upload' });
      const batch = await until('its batch', () =>
        batchCall<BatchView>('get', { id: run.batchId! }).catch(() => undefined),
      );
      assert.equal(batch.tableStorageName, run.batchId);
      assert.equal((await store.tables.findOne({ _id: run.batchId! }))?.rows, 2);
      await answer(run.batchId!, 'step-done');
      const ended = await world.docWhen('it has ended', 'upload', ({ active }) => active.length === 0);
      assert.equal(ended.runs[0]?.outcome, 'succeeded');

      await world.ask('update', {
        id: 'upload',
        patch: { target: { ...target, template: { ...rest, upload: 'nothing.csv' } } },
      });
      const failed = await world.ask<RunAnswer>('run', { id: 'upload', wait: true });
      assert.equal(failed.run.outcome, 'failed');
      assert.match(failed.run.reason ?? '', /no object nothing\.csv/);
    } finally {
      await tables.stop();
    }
  });

  it('a batch that exists, with other steps; a start that is refused is a failed run', async () => {
    await batchCall('create', { id: 'mine', batch: template });
    const target = { kind: 'batch.start', batchId: 'mine', steps: ['validation', 'preparation'] };
    await world.ask('create', { id: 'starter', schedule: { in: '1s', target } });
    const started = await until(
      'it has begun',
      async () => {
        const view = await batchCall<BatchView>('get', { id: 'mine' });
        return view.state !== 'Pending' && view;
      },
      30_000,
    );
    assert.deepEqual(started.chain, ['validation', 'partition', 'preparation']);
    const { run } = await world.ask<RunAnswer>('run', { id: 'starter' });
    assert.equal(run.outcome, 'started');
    const doc = await world.docWhen('the second start is refused', 'starter', ({ runs }) =>
      runs.some(({ outcome }) => outcome === 'failed'),
    );
    assert.match(doc.runs.find(({ outcome }) => outcome === 'failed')?.reason ?? '', /start is not possible/);
    assert.deepEqual(doc.active.length, 1, 'the first run goes on');
    await batchCall('abort', { id: 'mine' });
    await answer('mine', 'step-yielded');
    await world.docWhen('it has ended', 'starter', ({ active }) => active.length === 0);
  });

  it('a task of one’s own, and one that a program serves', async () => {
    await world.ask('create', {
      id: 'own',
      schedule: { ...never, target: { kind: 'task', task: 'counted' } },
    });
    const answer = await world.ask<RunAnswer>('run', { id: 'own', wait: true, config: { n: 7 } });
    assert.deepEqual(
      [answer.run.outcome, answer.run.result, answer.run.manual],
      ['succeeded', { n: 7 }, true],
    );
    const subscription = world.nats.nc.subscribe('sms.task.rotate-keys', {
      callback: (_error, message) => {
        const { scheduleId } = message.json<{ scheduleId: string }>();
        message.respond(JSON.stringify({ ok: true, result: `for ${scheduleId}` }));
      },
    });
    await world.ask('create', {
      id: 'foreign',
      schedule: { ...never, target: { kind: 'task', task: 'rotate-keys' } },
    });
    const served = await world.ask<RunAnswer>('run', { id: 'foreign', wait: true });
    assert.deepEqual([served.run.outcome, served.run.result], ['succeeded', 'for foreign']);
    subscription.unsubscribe();
  });

  it('pauses itself after so many failed runs, with the reason', async () => {
    const target = { kind: 'task', task: 'counted', config: { fail: true } };
    await world.ask('create', { id: 'failing', schedule: { ...everySecond, pauseAfterFailures: 2, target } });
    const doc = await world.docWhen('it pauses itself', 'failing', ({ state }) => state === 'paused');
    assert.match(doc.paused?.note ?? '', /2 failed runs/);
    assert.equal(doc.runs.filter(({ outcome }) => outcome === 'failed').length, 2);
    assert.match(doc.runs.at(-1)?.reason ?? '', /as it was told/);
    const failed = await world.events('sms.evt.failing.run-failed');
    assert.equal(failed.length, 2);
    assert.equal((await world.events('sms.evt.failing.schedule-paused')).length, 1);
  });

  it('a run that nobody takes is dropped, and says so', async () => {
    await world.ask('create', {
      id: 'homeless',
      schedule: { in: '2s', target: publishTo('caught.homeless') },
    });
    await world.store.db
      .collection<{ _id: string }>('schedules')
      .updateOne({ _id: 'homeless' }, { $set: { stream: STREAMS.dead } });
    const doc = await world.docWhen(
      'it is dropped',
      'homeless',
      ({ runs }) => runs[0]?.outcome === 'dropped',
    );
    assert.match(doc.runs[0]?.reason ?? '', /caught\.homeless/);
    assert.equal((await world.events('sms.evt.homeless.run-dropped')).length, 1);
  });
});

describe('a batch’s own scheduleTime', () => {
  const dueIn = (ms: number) => new Date(Date.now() + ms).toISOString();
  const timerOf = (id: string) =>
    world.nats.jsm.streams.getMessage(STREAMS.schedules, { last_by_subj: timerSubject(batchTimer(id)) });

  it('is a timer without a schedule: it starts at its instant', async () => {
    const scheduleTime = dueIn(1_500);
    await batchCall('create', { id: 'timed', batch: { ...template, scheduleTime, autoTrigger: true } });
    assert.deepEqual((await timerOf('timed'))?.json(), { dueAt: Date.parse(scheduleTime) });
    const { startedAt } = await until(
      'it starts',
      async () => {
        const batch = await world.store.batches.findOne({ _id: 'timed' });
        return batch?.startedAt !== undefined && batch;
      },
      60_000,
    );
    assert.ok(startedAt! >= Date.parse(scheduleTime), 'not before its time');
    await batchCall('abort', { id: 'timed' });
    await answer('timed', 'step-yielded');
  });

  it('moved by update, taken away by pause, armed by resume, ended by abort', async () => {
    const batch = { ...template, scheduleTime: dueIn(3_600_000), autoTrigger: true };
    await batchCall('create', { id: 'kept', batch });
    const moved = dueIn(7_200_000);
    await batchCall('update', { id: 'kept', patch: { scheduleTime: moved } });
    assert.deepEqual((await timerOf('kept'))?.json(), { dueAt: Date.parse(moved) });
    await batchCall('pause', { id: 'kept' });
    assert.equal(await timerOf('kept'), null);
    await batchCall('resume', { id: 'kept' });
    assert.ok(await timerOf('kept'));
    await batchCall('abort', { id: 'kept' });
    assert.equal(await timerOf('kept'), null);
  });
});

describe('the default tasks', () => {
  it('cleanup: says what would go, then removes it; never a batch that has not ended', async () => {
    const { store, nats } = world;
    const dayMs = 24 * 3_600_000;
    const old = Date.now() - 200 * dayMs;
    const ended = { state: { phase: null, status: 'Succeeded' as const }, endedAt: old };
    const many = [
      sentBatch({ batchId: 'old-done', recipients: [{ msisdn: '447911123456' }], ...ended }),
      sentBatch({ batchId: 'new-done', recipients: [], ...ended, endedAt: Date.now() - dayMs }),
      sentBatch({ batchId: 'old-live', recipients: [{ msisdn: '447911123457' }], createdAtMs: old }),
    ];
    for (const { batch, messages, outcomes } of many) {
      await store.batches.insertOne(batch);
      if (messages.length > 0) await store.messageChunks.insertMany(messages);
      if (outcomes.length > 0) await store.outcomes.insertMany(outcomes);
    }
    // What a batch of long ago has left: its document, and its tombstone, are gone.
    const gone = sentBatch({ batchId: 'gone', recipients: [{ msisdn: '447911123458' }] });
    await store.messageChunks.insertMany(gone.messages);
    await store.outcomes.insertMany(gone.outcomes);
    await nats.js.publish('sms.dead.SMS_COMMANDS.x', 'old letter');

    const clean = async (config: object) => {
      const { run } = await world.ask<RunAnswer>('run', { id: 'cleanup', wait: true, config });
      assert.equal(run.outcome, 'succeeded', run.reason);
      return run.result as CleanupResult;
    };
    const all = { deadLettersDays: 0, schedulesDays: 0 };
    const planned = await clean({ ...all, dryRun: true });
    assert.deepEqual(planned.batches, { count: 1, byState: { Succeeded: 1 }, examples: ['old-done'] });
    assert.deepEqual(planned.leftovers, { lives: 1, examples: [gone.life] });
    assert.ok(planned.deadLetters >= 1 && planned.schedules >= 1, JSON.stringify(planned));
    assert.ok(await store.messageChunks.findOne({ batchId: 'gone' }), 'nothing has gone yet');

    const done = await clean(all);
    assert.deepEqual([done.batches.count, done.leftovers.lives], [1, 1]);
    assert.ok(done.deadLetters >= 1 && done.schedules >= 1);
    await until('the actor has removed it', async () => {
      const batch = await store.batches.findOne({ _id: 'old-done' });
      return batch?.deletedAt !== undefined;
    });
    for (const { batch } of many.slice(1)) {
      const kept = await store.batches.findOne({ _id: batch._id });
      assert.equal(kept?.deletedAt, undefined, batch._id);
    }
    assert.ok(await store.messageChunks.findOne({ batchId: 'old-live' }), 'a live batch keeps all it has');
    assert.equal(await store.messageChunks.findOne({ batchId: 'gone' }), null);
    assert.equal(await store.outcomes.findOne({ batchId: 'gone' }), null);
  });

  it('are there, are the user’s to change, and stay cancelled', async () => {
    const sync = await world.ask<ScheduleView>('get', { id: 'statistics_sync' });
    assert.equal(sync.cron, '0 */5 * * * *');
    await world.ask('update', { id: 'statistics_sync', patch: { cron: '0 */7 * * * *' } });
    const cleanup = await world.ask<ScheduleView>('get', { id: 'cleanup' });
    assert.equal(cleanup.cron, '0 0 2 * * *');
    await world.ask('cancel', { id: 'cleanup' });
    await scheduler.stop();
    scheduler = await world.start({ tasks: [counted, cleanupTask, importAndStart], sweepEveryMs: 500 });
    assert.equal((await world.ask<ScheduleView>('get', { id: 'cleanup' })).state, 'cancelled');
    assert.equal((await world.ask<ScheduleView>('get', { id: 'statistics_sync' })).cron, '0 */7 * * * *');
  });
});

describe('the examples of docs/scheduling.md', () => {
  const page = readFileSync(new URL('../../../docs/scheduling.md', import.meta.url), 'utf8');
  const folder = new URL('../../../examples/schedules/', import.meta.url);

  it('are the files, each of them, and are accepted', async () => {
    const shown = [...page.matchAll(/<!-- example:([a-z-]+) -->\n```json\n([\s\S]*?)\n```/g)];
    const files = readdirSync(folder).map((file) => file.replace(/\.json$/, ''));
    assert.deepEqual(shown.map(([, name]) => name).sort(), files.sort());
    await world.store.db.collection<{ _id: string }>('provider_accounts').insertOne({ _id: 'acme' });
    await batchCall('create', { id: 'summer', batch: template });
    for (const [, name, text] of shown) {
      assert.equal(text, readFileSync(new URL(`${name}.json`, folder), 'utf8').trimEnd(), name);
      const view = await world.ask<ScheduleView>('create', JSON.parse(text!));
      assert.equal(view.state, 'active', name);
      assert.ok(view.next.length > 0, name);
    }
  });
});
