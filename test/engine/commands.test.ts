import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { JetStreamApiError } from '@nats-io/jetstream';
import { headers, type Msg } from '@nats-io/transport-node';
import type { BatchView } from '../../contracts/batch-api.ts';
import type { ErrorBody } from '../../contracts/errors.ts';
import { STREAMS } from '../../contracts/subjects.ts';
import { UPDATE_PERMISSIONS } from '../../contracts/update-permissions.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { seededRandom } from '../../lib/random/seeded-random.ts';
import { ApiError } from '../../scripts/engine/api.ts';
import { engineRig, phoneOf, type Rig } from './rig.ts';

let rig: Rig;
before(async () => {
  rig = await engineRig({ env: { HTTP_PORT: '0' } });
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

const RECIPIENTS = [{ phone: phoneOf(1) }, { phone: phoneOf(2) }];
const plain = { name: 'plain', content: 'Hello World', recipients: RECIPIENTS };
const fieldsOf = ({ errors }: ErrorBody): string[] => errors.map(({ field }) => field).sort();

/** A partition that waits for `ack_wait` (5 s), or for the 1 s of a command that was handed back, would take longer. */
const AT_ONCE_MS = 4_000;

describe('a command that cannot be obeyed', () => {
  const cases: { what: string; verb?: string; body: string | Uint8Array; code: string; fields?: string[] }[] =
    [
      { what: 'malformed JSON', body: '{"reason": ', code: 'invalid-json' },
      { what: 'bytes that are no UTF-8', body: Uint8Array.of(0x7b, 0xff, 0x7d), code: 'invalid-json' },
      { what: 'a JSON list', body: '[1]', code: 'invalid-json' },
      { what: 'an unknown verb', verb: 'frobnicate', body: '{}', code: 'unknown-verb', fields: ['verb'] },
      {
        what: 'an event taken for a command',
        verb: 'paused',
        body: '{}',
        code: 'unknown-verb',
        fields: ['verb'],
      },
      {
        what: 'a body over the limit',
        body: JSON.stringify({ reason: 'x'.repeat(600_000) }),
        code: 'body-too-large',
      },
      {
        what: 'wrong fields',
        verb: 'update',
        body: JSON.stringify({
          patch: { ratePerSecond: -1, maxParts: 99, colour: 'red' },
          expectedVersion: 0,
        }),
        code: 'invalid-body',
        fields: ['expectedVersion', 'patch/colour', 'patch/maxParts', 'patch/ratePerSecond'],
      },
    ];

  for (const { what, verb = 'pause', body, code, fields = [] } of cases) {
    it(`${what}: rejected with the reason, and the partition goes on`, async () => {
      const id = `bad-${code}-${what.replaceAll(/[^a-z]/gi, '-')}`;
      await rig.command(id, 'create', { batch: plain });
      await rig.command(id, verb, body);
      await rig.command(id, 'update', { patch: { description: 'behind it' } });
      const rejected = await rig.events.rejected(id);
      const updated = await rig.events.first(
        'the update behind',
        (seen) => seen.batchId === id && seen.event === 'updated',
      );
      const { error } = rejected.body;
      assert.equal(error.code, code);
      assert.equal(rejected.body.verb, verb);
      assert.deepEqual(fieldsOf(error), fields);
      assert.ok(error.message.length > 10);
      for (const finding of error.errors) assert.ok(finding.expected, JSON.stringify(finding));
      assert.ok(updated.seenAtMs - rejected.seenAtMs < AT_ONCE_MS);
      const view = await rig.call<BatchView>('batch', 'get', { id });
      assert.deepEqual([view.state, view.version, view.description], ['Pending', 2, 'behind it']);
    });
  }

  it('a bad batch ID', async () => {
    for (const id of ['has~tilde', 'x'.repeat(65), '测试']) {
      await rig.command(id, 'pause');
      const { body } = await rig.events.rejected(id);
      assert.equal(body.error.code, 'invalid-batch-id');
      assert.deepEqual(fieldsOf(body.error), ['batchId']);
    }
    assert.equal((await rig.refusal('batch', 'get', { id: 'has a blank' })).code, 'invalid-body');
  });

  it('a batch that does not exist', async () => {
    await rig.command('nobody', 'pause', { requestId: 'r-1' });
    const { body } = await rig.events.rejected('nobody');
    assert.equal(body.error.code, 'not-found');
    assert.equal(body.requestId, 'r-1');
    for (const verb of ['get', 'start', 'pause', 'abort', 'status', 'progress', 'recipients']) {
      assert.equal((await rig.refusal('batch', verb, { id: 'nobody' })).code, 'not-found', verb);
    }
    // It might have been on its way: only now is it clear that it is not.
    const waited = await rig.refusal('batch', 'wait', { id: 'nobody', timeoutMs: 300 });
    assert.equal(waited.code, 'not-found');
  });

  it('the API answers the same, with the micro error headers', async () => {
    const body = { batch: { name: '', content: 7, messageType: 'FAX', colour: 'red' } };
    const error = await rig.refusal('batch', 'create', body);
    assert.equal(error.code, 'invalid-body');
    assert.deepEqual(fieldsOf(error), ['batch/colour', 'batch/content', 'batch/messageType', 'batch/name']);
    const reply = await rig.nc.request('sms.api.batch.get', '{"id"', { timeout: 5_000 });
    assert.equal(reply.headers?.get('Nats-Service-Error-Code'), '400');
    assert.match(reply.headers?.get('Nats-Service-Error') ?? '', /^invalid-json: /);
    const large = await rig.nc.request('sms.api.batch.get', 'x'.repeat(600_000), { timeout: 5_000 });
    assert.equal(large.json<ErrorBody>().code, 'body-too-large');
  });

  it('poison goes to the dead letters with its reason, and the partition goes on', async () => {
    await rig.command('poisoned', 'create', { batch: plain });
    await rig.events.state('poisoned', 'Pending');
    // What no rule foresees: a document that somebody has damaged.
    const damaged = await rig.store.batches.findOne({ _id: 'poisoned' });
    await rig.store.batches.updateOne(
      { _id: 'poisoned' },
      { $unset: { definition: '' }, $inc: { version: 1 } },
    );
    await rig.command('poisoned', 'update', { patch: { name: 'never' } });
    await waitUntil(async () => (await deadFor('poisoned')) !== undefined);
    const dead = (await deadFor('poisoned'))!;
    assert.ok((dead.header.get('Sms-Dead-Reason') ?? '').length > 5);
    assert.equal(dead.header.get('Sms-Dead-Stream'), STREAMS.commands);
    assert.deepEqual(dead.json(), { patch: { name: 'never' } });
    const asked = Date.now();
    const told = await rig.refusal('batch', 'update', { id: 'poisoned', patch: { name: 'asked' } });
    assert.equal(told.code, 'internal');
    assert.match(told.message, /SMS_DEAD/);
    assert.ok(Date.now() - asked < AT_ONCE_MS);
    await rig.store.batches.replaceOne({ _id: 'poisoned' }, { ...damaged!, version: damaged!.version + 2 });
    const sentAtMs = Date.now();
    const view = await rig.call<BatchView>('batch', 'update', { id: 'poisoned', patch: { name: 'healed' } });
    assert.equal(view.name, 'healed');
    assert.ok(Date.now() - sentAtMs < AT_ONCE_MS);
  });

  it('a task and an event that nobody can read go there, too', async () => {
    await rig.js.publish('sms.step.preparation.nobody.0-1', 'not JSON');
    await rig.js.publish('sms.evt.nobody.progress', '{"percent": 50}');
    for (const stream of [STREAMS.steps, STREAMS.events]) {
      await waitUntil(async () => (await deadOf(`sms.dead.${stream}.>`)) !== undefined);
      assert.ok((await deadOf(`sms.dead.${stream}.>`))!.header.get('Sms-Dead-Reason'));
    }
  });
});

describe('create and delete', () => {
  it('the same create twice is one batch; another body under the same ID is a conflict', async () => {
    const first = await rig.call<BatchView>('batch', 'create', { id: 'twice', batch: plain });
    const { name, content, recipients } = plain;
    const again = await rig.call<BatchView>('batch', 'create', {
      id: 'twice',
      batch: { recipients, content, name },
    });
    assert.deepEqual([again.version, again.incarnation], [first.version, first.incarnation]);
    const error = await rig.refusal('batch', 'create', { id: 'twice', batch: { ...plain, name: 'other' } });
    assert.equal(error.code, 'already-exists');
    // In the stream; a listener of core NATS may hear one twice, under the same message id.
    const subject = 'sms.evt.twice.state-changed';
    const { state } = await rig.jsm.streams.info(STREAMS.events, { subjects_filter: subject });
    assert.deepEqual(state.subjects, { [subject]: 1 });
  });

  it('without an ID it gets one of its own', async () => {
    const { id } = await rig.call<BatchView>('batch', 'create', { batch: plain });
    assert.match(id, /^[0-9A-HJKMNP-TV-Z]{26}$/);
  });

  it('delete removes all but a tombstone; the ID is not free at once; many at a time', async () => {
    await rig.call('batch', 'create', {
      id: 'gone',
      batch: { ...plain, name: 'gone', providers: ['simulator'] },
      start: true,
    });
    await rig.ended('gone', ['Succeeded']);
    const life = /^gone\./;
    assert.ok(await rig.store.outcomes.findOne({ _id: life }));
    await rig.call('batch', 'delete', { id: 'gone', reason: 'asked for' });
    await rig.events.first('the deletion', (seen) => seen.batchId === 'gone' && seen.event === 'deleted');
    assert.equal((await rig.refusal('batch', 'get', { id: 'gone' })).code, 'deleted');
    assert.equal((await rig.refusal('batch', 'start', { id: 'gone' })).code, 'deleted');
    const refused = await rig.refusal('batch', 'create', { id: 'gone', batch: plain });
    assert.equal(refused.code, 'deleted');
    assert.match(refused.message, /free again at \d{4}-/);
    await waitUntil(async () => !(await rig.store.outcomes.findOne({ _id: life })));
    await waitUntil(async () => !(await rig.store.messageChunks.findOne({ _id: life })));
    const tombstone = await rig.store.batches.findOne({ _id: 'gone' });
    assert.ok(tombstone?.deletedAt && tombstone.version > 1);

    await rig.call('batch', 'create', { id: 'del-1', batch: plain });
    await rig.call('batch', 'create', { id: 'del-2', batch: plain });
    const many = await rig.call('batch', 'delete', { ids: ['del-1', 'del-2', 'nobody'] });
    assert.deepEqual(many.deleted, ['del-1', 'del-2']);
    assert.equal(many.refused[0].error.code, 'not-found');
    assert.equal((await rig.refusal('batch', 'delete', {})).code, 'invalid-body');
  });
});

describe('list and totals', () => {
  it('filters by status, owner, scope, campaign, name and time, page by page', async () => {
    const from = new Date(Date.now() - 1).toISOString();
    const ids = ['l-1', 'l-2', 'l-3', 'l-4', 'l-5'];
    for (const [i, id] of ids.entries()) {
      await rig.call('batch', 'create', {
        id,
        batch: {
          ...plain,
          name: `清单 ${i}`,
          userID: i < 2 ? 'ann' : 'bob',
          scope: 'shop',
          campaignID: `c${i % 2}`,
        },
      });
    }
    const list = async (query: object): Promise<string[]> =>
      (await rig.call<{ batches: BatchView[] }>('batch', 'list', query)).batches.map(({ id }) => id).sort();
    assert.deepEqual(await list({ userID: 'ann' }), ['l-1', 'l-2']);
    assert.deepEqual(await list({ scope: 'shop', campaignID: 'c1' }), ['l-2', 'l-4']);
    assert.deepEqual(await list({ name: '清单 3' }), ['l-4']);
    assert.deepEqual(await list({ name: '清单', createdFrom: from, state: 'Pending' }), ids);
    assert.deepEqual(await list({ name: '清单', createdTo: from }), []);
    assert.deepEqual(await list({ name: '清单', state: 'DeliveryRunning' }), []);
    assert.equal((await rig.refusal('batch', 'list', { state: 'deliveryRunning' })).code, 'invalid-body');
    assert.equal((await rig.refusal('batch', 'list', { cursor: '!' })).code, 'invalid-body');

    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await rig.call('batch', 'list', { name: '清单', limit: 2, ...(cursor && { cursor }) });
      assert.ok(page.batches.length <= 2);
      seen.push(...page.batches.map(({ id }: BatchView) => id));
      cursor = page.nextCursor;
    } while (cursor);
    assert.deepEqual(seen, ids.toReversed());

    const { byState } = await rig.call('batch', 'totals', { scope: 'shop' });
    const of = (userID: string) => byState.find((row: { userID: string }) => row.userID === userID);
    assert.deepEqual([of('ann').state, of('ann').batches, of('bob').batches], ['Pending', 2, 3]);
  });
});

describe('update', () => {
  const patchOf = {
    name: 'n',
    description: 'd',
    tags: ['t'],
    campaignID: 'c',
    campaignName: 'cn',
    source: 's',
    region: 'r',
    userID: 'u',
    scope: 'x',
    tableStorageName: 'people',
    content: 'Hi',
    contentSignature: '【x】',
    messageType: 'SMS',
    messageCategory: 'marketing',
    steps: ['validation', 'preparation'],
    defaultCountry: 'GB',
    maxParts: 3,
    encoding: 'ucs2',
    providers: ['simulator'],
    sender: 'Shop',
    extCode: '1',
    validitySeconds: 60,
    onInDoubt: 'resend',
    ratePerSecond: 9,
    maxConcurrency: 2,
    failureThreshold: 0.5,
    notAfter: '2099-01-01T00:00:00Z',
    autoTrigger: false,
    scheduleTime: '2099-01-01T00:00:00Z',
  } satisfies Record<keyof typeof UPDATE_PERMISSIONS, unknown>;
  const withPermission = (...windows: string[]) =>
    Object.keys(UPDATE_PERMISSIONS)
      .filter((field) => windows.includes(UPDATE_PERMISSIONS[field as keyof typeof UPDATE_PERMISSIONS]))
      .sort();

  it('the table says which field may change in which state; all or none of a patch', async () => {
    await rig.call('batch', 'create', { id: 'upd', batch: plain });
    const pending = await rig.refusal('batch', 'update', { id: 'upd', patch: patchOf });
    assert.equal(pending.code, 'field-frozen');
    assert.deepEqual(fieldsOf(pending), ['scope']);
    assert.equal((await rig.call<BatchView>('batch', 'get', { id: 'upd' })).name, 'plain');

    await rig.table('upd-people', 40, 5_000);
    const delivering = {
      name: 'upd',
      content: 'Hi',
      tableStorageName: 'upd-people',
      providers: ['simulator'],
      ratePerSecond: 1,
    };
    await rig.call('batch', 'create', { id: 'upd-2', batch: delivering, start: true });
    await rig.events.state('upd-2', 'DeliveryRunning');
    const running = await rig.refusal('batch', 'update', { id: 'upd-2', patch: patchOf });
    assert.deepEqual(fieldsOf(running), withPermission('never', 'unstarted', 'unsent'));
    await rig.call('batch', 'update', { id: 'upd-2', patch: { ratePerSecond: 10_000 } });
    await rig.ended('upd-2', ['Succeeded']);
    const ended = await rig.refusal('batch', 'update', { id: 'upd-2', patch: patchOf });
    assert.deepEqual(fieldsOf(ended), withPermission('never', 'unstarted', 'unsent', 'anytime'));
    const view = await rig.call<BatchView>('batch', 'update', {
      id: 'upd-2',
      patch: { name: '新名字', tags: ['x'] },
    });
    assert.equal(view.name, '新名字');
  });

  it('an expected version that is not the batch’s is a conflict', async () => {
    const { version } = await rig.call<BatchView>('batch', 'create', { id: 'ver', batch: plain });
    await rig.call('batch', 'update', { id: 'ver', patch: { name: 'b' }, expectedVersion: version });
    const error = await rig.refusal('batch', 'update', {
      id: 'ver',
      patch: { name: 'c' },
      expectedVersion: version,
    });
    assert.equal(error.code, 'version-conflict');
    assert.equal(error.errors[0]?.expected, String(version + 1));
  });
});

describe('before anything is sent', () => {
  it('validate tells every finding at once, each with its field', async () => {
    const batch = {
      name: 'wrong',
      content: 'Hello {{nme}}',
      messageType: 'MMS',
      tableStorageName: 'val-people',
      providers: ['nobody'],
      steps: ['delivery', 'validation', 'teleport', 'delivery'],
      defaultCountry: 'XX',
      scheduleTime: '2020-01-01T00:00:00Z',
      notAfter: '2020-01-01T00:00:00Z',
    };
    await rig.call('table', 'append', {
      table: 'val-people',
      rows: [{ phone: phoneOf(9), variables: { name: 'Ann' } }],
    });
    const { findings } = await rig.call('batch', 'validate', { batch });
    const fields: string[] = findings.map(({ field }: { field: string }) => field);
    for (const field of [
      'content',
      'messageType',
      'providers/0',
      'defaultCountry',
      'scheduleTime',
      'notAfter',
    ]) {
      assert.ok(fields.includes(field), `${field} is not among ${fields.join(', ')}`);
    }
    assert.ok(fields.some((field) => field.startsWith('steps/')));
    const of = (field: string) => findings.find((finding: { field: string }) => finding.field === field);
    assert.match(of('messageType').expected, /MMS/);
    assert.match(JSON.stringify(of('content')), /nme/);
    for (const steps of [[], ['delivery', 'preparation'], ['validation', 'validation']]) {
      const answer = await rig.call('batch', 'validate', {
        batch: { ...plain, providers: ['simulator'], steps },
      });
      assert.ok(answer.findings.length > 0, JSON.stringify(steps));
    }
    const good = await rig.call('batch', 'validate', { batch: { ...plain, providers: ['simulator'] } });
    assert.deepEqual(good.findings, []);

    await rig.call('batch', 'create', { id: 'val', batch: { ...batch, steps: undefined } });
    assert.deepEqual(
      (await rig.call('batch', 'validate', { id: 'val' })).findings
        .map(({ field }: { field: string }) => field)
        .sort(),
      fields.filter((field) => !field.startsWith('steps')).sort(),
    );
    await rig.command('val', 'validate');
    const told = await rig.events.first(
      'validated',
      (seen) => seen.batchId === 'val' && seen.event === 'validated',
    );
    assert.ok(told.body.findings.length >= 6);
    assert.equal((await rig.refusal('batch', 'start', { id: 'val' })).code, 'invalid');
  });

  it('a start with an unknown step is refused; VOICE fails in validation, and nothing is sent', async () => {
    const error = await rig.refusal('batch', 'create', {
      id: 'nostep',
      batch: { ...plain, steps: ['teleport'] },
      start: true,
    });
    assert.equal(error.code, 'invalid');
    await rig.call('batch', 'create', {
      id: 'voice',
      batch: { ...plain, messageType: 'VOICE', providers: ['simulator'] },
      start: true,
    });
    const failed = await rig.ended('voice');
    assert.equal(failed.state, 'ValidationFailed');
    assert.equal(failed.reason?.errors?.[0]?.field, 'messageType');
  });

  it('a dry run prepares all and sends nothing; its report has histogram, encodings, samples and bad rows', async () => {
    const sent = (await rig.simulator.summary()).messages;
    const rows = [
      { phone: phoneOf(100), variables: { name: 'Ann' } },
      { phone: phoneOf(100), variables: { name: 'Ann again' } },
      { phone: phoneOf(101), variables: { name: '王伟' } },
      { phone: phoneOf(102), variables: { name: 'x'.repeat(200) } },
      { phone: '12345', variables: { name: 'nobody' } },
    ];
    await rig.call('table', 'append', { table: 'dry-people', rows });
    const batch = {
      name: 'dry',
      content: 'Hello {{name}}',
      tableStorageName: 'dry-people',
      providers: ['simulator'],
    };
    await rig.call('batch', 'create', { id: 'dry', batch });
    const answer = await rig.call('batch', 'dry-run', { id: 'dry' }, 60_000);
    assert.equal(answer.state, 'Succeeded');
    const { report } = answer;
    assert.equal(report.total, 5);
    assert.deepEqual(report.segmentHistogram, { 1: 2, 2: 1 });
    assert.deepEqual(report.encodings, { gsm7: 2, ucs2: 1 });
    assert.ok(report.samples.some(({ text }: { text: string }) => text === 'Hello 王伟'));
    assert.deepEqual(report.badRows.map(({ outcome }: { outcome: string }) => outcome).sort(), [
      'duplicate',
      'invalid',
    ]);
    assert.equal((await rig.simulator.summary()).messages, sent);
    assert.equal((await rig.call<BatchView>('batch', 'get', { id: 'dry' })).state, 'Pending');
  });
});

describe('wait, status and progress', () => {
  it('wait makes a chain synchronous; a time-out names the state', async () => {
    await rig.call('batch', 'create', {
      id: 'sync',
      batch: { ...plain, name: 'sync', providers: ['simulator'] },
    });
    const error = await rig.call('batch', 'wait', { id: 'sync', timeoutMs: 1 }).catch((thrown) => thrown);
    assert.ok(error instanceof ApiError);
    assert.equal(error.body.code, 'timeout');
    assert.match(error.body.message, /Pending/);
    await rig.call('batch', 'start', { id: 'sync' });
    const view = await rig.ended('sync');
    assert.equal(view.state, 'Succeeded');
    assert.equal(view.counts.accepted, 2);
    const impossible = await rig.refusal('batch', 'wait', { id: 'sync', states: ['DeliveryRunning'] });
    assert.equal(impossible.code, 'state-forbids');

    for (const verb of ['status', 'progress']) {
      // Figures come from a view that follows the events.
      await waitUntil(async () => (await rig.call('batch', verb, { id: 'sync' })).state === 'Succeeded');
      const status = await rig.call('batch', verb, { id: 'sync' });
      assert.equal(status.percent, 100);
      assert.equal(status.total, 2);
      assert.equal(status.counts.accepted, 2);
    }
    for (const verb of ['start', 'pause', 'resume', 'retry', 'abort']) {
      const refused = await rig.refusal('batch', verb, { id: 'sync' });
      assert.equal(refused.code, 'state-forbids', verb);
      assert.equal(refused.errors[0]?.value, 'Succeeded');
    }
    const found = await rig.call('recipient', 'get', { batchId: 'sync', msisdn: phoneOf(1) });
    assert.match(JSON.stringify(found), /accepted/);
  });

  it('who they were: a page of recipients, one number, who holds what', async () => {
    // Each answer is held against its schema by the rig; here every kind of recipient is among them.
    const recipients = [
      { phone: phoneOf(1), variables: { name: 'Ann' } },
      { phone: phoneOf(1), variables: { name: 'Ann' } },
      { phone: phoneOf(2), variables: { name: 'Bo' } },
      { phone: '12345', variables: { name: 'no number' } },
    ];
    const batch = { name: 'who', content: 'Hi {{name}}', providers: ['simulator'], recipients };
    await rig.call('batch', 'create', { id: 'who', batch, start: true });
    await rig.ended('who', ['Succeeded']);
    const first = await rig.call('batch', 'recipients', { id: 'who', limit: 3 });
    const { recipients: rest } = await rig.call('batch', 'recipients', {
      id: 'who',
      cursor: first.nextCursor,
    });
    const outcomes = [...first.recipients, ...rest].map(({ outcome }: { outcome: string }) => outcome);
    assert.deepEqual(outcomes.sort(), ['accepted', 'accepted', 'duplicate', 'invalid']);
    const ann = await rig.call('recipient', 'get', { batchId: 'who', msisdn: phoneOf(1) });
    assert.deepEqual([ann.text, ann.segments, ann.duplicates], ['Hi Ann', 1, 1]);
    const { report } = await rig.call('batch', 'dry-run', { id: 'who' }, 60_000);
    assert.equal(report.total, 4);
    assert.deepEqual(Object.keys(report).sort(), [
      'badRows',
      'badRowsTotal',
      'encodings',
      'samples',
      'segmentHistogram',
      'total',
    ]);

    const many = Array.from({ length: 100 }, (_, index) => ({ phone: phoneOf(index) }));
    const slow = { ...plain, providers: ['simulator'], ratePerSecond: 1, recipients: many };
    await rig.call('batch', 'create', { id: 'held', batch: slow, start: true });
    await rig.events.state('held', 'DeliveryRunning');
    await waitUntil(async () => {
      const { tasksOut } = await rig.call('batch', 'totals');
      return tasksOut.some(({ batchId, holder }: { batchId: string; holder: string | null }) => {
        return batchId === 'held' && holder === 'host-b';
      });
    });
    await rig.call('batch', 'abort', { id: 'held' });
  });

  it('wait also waits for the batch itself: its create may still lie in the stream', async () => {
    const waiting = rig.call<BatchView>('batch', 'wait', { id: 'to-come', timeoutMs: 60_000 }, 65_000);
    // Nobody has created it when the first look is taken.
    await rig.call('batch', 'list', {});
    await rig.command('to-come', 'create', { batch: { ...plain, providers: ['simulator'] }, start: true });
    assert.equal((await waiting).state, 'Succeeded');
  });
});

describe('messages that come twice, late and out of order', () => {
  /** Said once more, these are a wish of their own. */
  const WISHES = new Set(['pause', 'resume', 'update']);
  const TOTAL = 300;

  it('change nothing: answers, tasks, create and start of a batch, from its start until after its end', async () => {
    const id = 'shuffled';
    await rig.simulator.reset();
    await rig.table('shuffled-people', TOTAL, 20_000);
    const random = seededRandom(3);
    const recorded: { subject: string; data: Uint8Array }[] = [];
    const replaying: Promise<unknown>[] = [];
    const replay = async ({ subject, data }: (typeof recorded)[number], afterMs: number) => {
      await sleep(afterMs);
      const again = headers();
      again.set('Again', 'yes');
      // Refused where the task's own message still lies there.
      await rig.js.publish(subject, data, { headers: again }).catch((error) => {
        if (!(error instanceof JetStreamApiError)) throw error;
      });
    };
    const record = (message: Msg) => {
      const verb = message.subject.split('.').at(-1)!;
      if (message.headers?.has('Again') || WISHES.has(verb)) return;
      const { subject, data } = message;
      recorded.push({ subject, data });
      for (const delayMs of [0, 50, 1_500]) replaying.push(replay({ subject, data }, delayMs * random()));
    };
    const subscriptions = [`sms.cmd.${id}.*`, `sms.step.*.${id}.*`].map((subject) =>
      rig.nc.subscribe(subject, { callback: (error, message) => void (error ?? record(message)) }),
    );
    await rig.nc.flush();
    const batch = {
      name: id,
      content: 'Hello World',
      tableStorageName: 'shuffled-people',
      providers: ['simulator'],
      ratePerSecond: 100,
    };
    await rig.command(id, 'create', { batch });
    await rig.events.state(id, 'Pending');
    await rig.command(id, 'start');
    await rig.events.state(id, 'DeliveryRunning');
    await rig.command(id, 'pause');
    await rig.events.state(id, 'DeliveryPaused');
    await rig.command(id, 'resume');
    const ended = await rig.ended(id, ['Succeeded']);
    for (const subscription of subscriptions) subscription.unsubscribe();
    // Once more all of it, in any order, with everything that is over.
    const over = [...recorded];
    replaying.push(...over.map((each) => replay(each, 500 * random())));
    await Promise.all(replaying);
    for (const stream of [STREAMS.commands, STREAMS.steps]) {
      await waitUntil(async () => (await rig.jsm.streams.info(stream)).state.messages === 0, 60_000);
    }

    assert.ok(recorded.length >= 12, `${recorded.length} messages were seen`);
    const verbs = new Set(recorded.map(({ subject }) => subject.split('.').at(-1)));
    for (const verb of ['create', 'start', 'step-done', 'step-yielded']) assert.ok(verbs.has(verb), verb);
    const view = await rig.call<BatchView>('batch', 'get', { id });
    assert.deepEqual([view.state, view.counts.accepted], ['Succeeded', TOTAL]);
    assert.ok(ended.endedAt);
    assert.equal(view.endedAt, ended.endedAt);
    const { missing, unexpected, doubled, received } = await rig.ledger(id);
    assert.deepEqual(
      { missing, unexpected, doubled, received },
      { missing: 0, unexpected: 0, doubled: 0, received: TOTAL },
    );
    const subject = `sms.evt.${id}.ended`;
    const { state } = await rig.jsm.streams.info(STREAMS.events, { subjects_filter: subject });
    assert.equal(state.subjects?.[subject], 1);
  });
});

it('health and metrics are served over HTTP', async () => {
  const { httpPort } = rig.processes.get('host-b')!.readyLine;
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${httpPort}${path}`);
    return { status: response.status, text: await response.text() };
  };
  for (const path of ['/livez', '/readyz']) assert.deepEqual(await get(path), { status: 200, text: 'ok\n' });
  const detail = JSON.parse((await get('/healthz')).text);
  assert.equal(detail.ready, true);
  assert.deepEqual(
    detail.checks.map(({ name }: { name: string }) => name),
    ['start', 'nats', 'mongodb'],
  );
  const metrics = (await get('/metrics')).text;
  for (const name of [
    'smsbatch_commands_total',
    'smsbatch_step_task_seconds_bucket',
    'process_cpu_seconds_total',
  ]) {
    assert.match(metrics, new RegExp(`^${name}\\b`, 'm'));
  }
});

it('each line of the log is one JSON object without a key twice', () => {
  for (const { logFile } of rig.processes.values()) {
    const lines = readFileSync(logFile, 'utf8').split('\n').filter(Boolean);
    assert.ok(lines.length > 5, logFile);
    // A key that stands twice is lost on the way.
    for (const line of lines) assert.equal(JSON.stringify(JSON.parse(line)), line);
  }
});

async function waitUntil(isSo: () => Promise<boolean>, withinMs = 20_000): Promise<void> {
  const deadlineAt = performance.now() + withinMs;
  while (!(await isSo())) {
    assert.ok(performance.now() < deadlineAt, 'it did not come about');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function deadOf(subject: string) {
  return (await rig.jsm.streams.getMessage(STREAMS.dead, { last_by_subj: subject })) ?? undefined;
}

const deadFor = (id: string) => deadOf(`sms.dead.${STREAMS.commands}.cmd.*.${id}.*`);
