import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { CATALOGUE } from '../../contracts/catalogue.ts';
import { check } from '../../contracts/check.ts';
import { COMMANDS, isVerb, VERBS, type Verb } from '../../contracts/commands.ts';

const folder = new URL('../../examples/messages/', import.meta.url);
const example = (verb: Verb): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`${verb}.json`, folder), 'utf8'));

const schemaFile = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../contracts/schemas/commands/${name}.json`, import.meta.url), 'utf8'));

const counts = {
  pending: 0,
  inFlight: 0,
  accepted: 0,
  rejected: 0,
  unknown: 0,
  suppressed: 0,
  duplicate: 0,
  invalid: 0,
  expired: 0,
};
const task = { step: 'delivery', task: 0, epoch: 1, incarnation: 'i' };
const batch = { name: 'n', content: 'c' };
const parent = { batchId: 'p', incarnation: 'i' };

/** Bodies that must be refused, each with the fields of its findings. */
const bad: Record<Verb, [body: unknown, ...fields: string[]][]> = {
  create: [
    [{}, 'batch'],
    [{ batch: {} }, 'batch/name', 'batch/content'],
    [{ batch: { ...batch, name: '' } }, 'batch/name'],
    [{ batch: { ...batch, tableStorageName: 'a.b' } }, 'batch/tableStorageName'],
    [{ batch: { ...batch, messageType: 'FAX' } }, 'batch/messageType'],
    [{ batch: { ...batch, notAfter: '2026-12-31T23:59:60Z' } }, 'batch/notAfter'],
    [{ batch: { ...batch, scheduleTime: 'tomorrow' } }, 'batch/scheduleTime'],
    [{ batch: { ...batch, failureThreshold: 1.5 } }, 'batch/failureThreshold'],
    [
      { batch: { ...batch, recipients: [{ phone: '' }, {}] } },
      'batch/recipients/0/phone',
      'batch/recipients/1/phone',
    ],
    [
      { batch: { ...batch, recipients: [{ phone: '1', variables: { n: 5 } }] } },
      'batch/recipients/0/variables/n',
    ],
    [{ batch, status: 'Running' }, 'status'],
  ],
  'create-child': [
    [{ batch }, 'parent'],
    [{ parent, batch: { ...batch, recipients: [] } }, 'batch/recipients'],
    [{ parent: { ...parent, filter: { outcomes: [] } }, batch }, 'parent/filter/outcomes'],
  ],
  update: [
    [{}, 'patch'],
    [{ patch: {} }, 'patch'],
    [{ patch: { recipients: [] } }, 'patch/recipients'],
    [{ patch: { ratePerSecond: 0, maxConcurrency: 0 } }, 'patch/ratePerSecond', 'patch/maxConcurrency'],
  ],
  delete: [[{ ids: ['a'] }, 'ids']],
  start: [[{ at: 'now' }, 'at']],
  pause: [
    [{ reason: 7 }, 'reason'],
    [{ reason: 'x'.repeat(1_001) }, 'reason'],
  ],
  resume: [[{ expectedVersion: 0 }, 'expectedVersion']],
  retry: [
    [{ filter: { outcomes: ['failed'] } }, 'filter/outcomes/0'],
    [{ childId: 'a b' }, 'childId'],
    [{ start: 'yes' }, 'start'],
  ],
  clone: [[{ patch: { nothing: 1 } }, 'patch/nothing']],
  abort: [[{ force: true }, 'force']],
  validate: [[{ batch }, 'batch']],
  'dry-run': [[{ childId: 'x'.repeat(65) }, 'childId']],
  reconcile: [
    [{ progressAt: 'now' }, 'progressAt'],
    [{ restored: 'yes' }, 'restored'],
  ],
  'step-done': [
    [{}, 'step', 'task', 'epoch', 'incarnation'],
    [{ ...task, step: 'Delivery' }, 'step'],
    [{ ...task, epoch: 0 }, 'epoch'],
    [{ ...task, result: { counts: { ...counts, accepted: -1 } } }, 'result/counts/accepted'],
    [{ ...task, result: { counts: { accepted: 1 } } }, ...missing('accepted')],
  ],
  'step-failed': [
    [{ ...task }, 'code', 'message'],
    [{ ...task, code: 'c', message: 'm', errors: [{ field: 'f' }] }, 'errors/0/expected'],
  ],
  'step-yielded': [
    [{ ...task, stop: { code: 'c' } }, 'stop/message'],
    [{ ...task, task: -1 }, 'task'],
  ],
};

function missing(but: string): string[] {
  return Object.keys(counts)
    .filter((name) => name !== but)
    .map((name) => `result/counts/${name}`);
}

describe('bodies of commands', () => {
  it('has an example of every verb, and of nothing else', () => {
    assert.deepEqual(readdirSync(folder).sort(), VERBS.map((verb) => `${verb}.json`).sort());
  });

  for (const verb of VERBS) {
    it(`${verb}: takes its example, by the schema in the tree and by the published one`, () => {
      const body = example(verb);
      assert.deepEqual(check(COMMANDS[verb], body), { ok: true, value: body });
      assert.equal(check(schemaFile(verb), body).ok, true);
    });

    for (const [body, ...fields] of bad[verb]) {
      it(`${verb}: refuses ${JSON.stringify(body).slice(0, 90)}`, () => {
        const checked = check(COMMANDS[verb], body);
        assert.equal(checked.ok, false);
        assert.deepEqual(checked.ok ? [] : checked.errors.map(({ field }) => field).sort(), fields.sort());
        assert.equal(check(schemaFile(verb), body).ok, false, 'the published schema refuses it too');
      });
    }
  }

  it('takes who, why and which version with every command of a person, and a request ID with every answer', () => {
    const meta = { requestId: 'r', operatorId: 'ann', reason: 'why', expectedVersion: 3 };
    for (const verb of VERBS) {
      const answer = verb.startsWith('step-');
      const body = { ...example(verb), ...(answer ? { requestId: 'r' } : meta) };
      assert.ok(check(COMMANDS[verb], body).ok, verb);
      assert.equal(check(COMMANDS[verb], { ...example(verb), reason: 'why' }).ok, !answer, verb);
    }
  });

  it('knows no verb by what every object inherits', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'Pause', 'paused', '']) {
      assert.equal(isVerb(name), false, name);
    }
  });

  it('takes a step’s finding about what is missing, as JSON carries it', () => {
    const finding = { field: 'tableStorageName', value: undefined, expected: 'a table' };
    const body = { ...task, code: 'invalid', message: 'm', errors: [finding] };
    assert.ok(check(COMMANDS['step-failed'], JSON.parse(JSON.stringify(body))).ok);
  });
});

describe('commands and events', () => {
  const of = (kind: string) => CATALOGUE.filter((entry) => entry.kind === kind);

  it('never share a subject', () => {
    for (const { subject } of of('commands')) assert.match(subject!, /^sms\.(cmd|schedule)\./);
    for (const { subject } of of('events')) assert.match(subject!, /^sms\.evt\./);
    const subjects = [...of('commands'), ...of('events')].map(({ subject }) => subject);
    assert.equal(new Set(subjects).size, subjects.length);
  });

  it('never share a name or a schema: "paused" is no "pause"', () => {
    const verbs = new Set(of('commands').map(({ name }) => name));
    for (const event of of('events')) {
      assert.ok(!verbs.has(event.name), event.name);
      for (const command of of('commands')) {
        assert.notEqual(command.schema, event.schema);
        assert.notDeepEqual(command.schema, event.schema, `${command.name} looks like ${event.name}`);
      }
    }
  });

  it('no event is taken for a command: each says which batch or schedule it is about, which no command does', () => {
    for (const { name, schema } of of('events')) {
      const required = (schema as { required?: string[] }).required ?? [];
      assert.ok(required.includes('batchId') || required.includes('scheduleId'), name);
    }
    for (const verb of VERBS) {
      assert.equal(check(COMMANDS[verb], { ...example(verb), batchId: 'b' }).ok, false, verb);
    }
  });
});
