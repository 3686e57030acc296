import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type BatchDefinition, MESSAGE_TYPES } from '../../contracts/batch.ts';
import { check } from '../../contracts/check.ts';
import { COMMANDS } from '../../contracts/commands.ts';
import type { Finding } from '../../contracts/errors.ts';
import { BATCH_STATUSES, PHASE_STATUSES, stateName } from '../../contracts/states.ts';
import { findingsOf } from '../../lib/batch/validate-definition.ts';
import { builtInStepTypes } from '../../lib/steps/step-types.ts';
import { TRANSITIONS } from '../../services/batch/fsm/transitions.ts';

const findings = (more: Partial<BatchDefinition>): Finding[] =>
  findingsOf(
    { name: 'b', tableStorageName: 't', content: 'Hi', providers: ['main'], ...more },
    {
      table: { columns: [], rows: 1 },
      collection: null,
      inline: undefined,
      parent: undefined,
      providers: ['main'],
      stepTypes: builtInStepTypes(),
      nowMs: Date.parse('2026-11-25T12:00:00Z'),
      started: false,
      dryRun: false,
    },
  );

const create = (more: Record<string, unknown>) =>
  check(COMMANDS.create, { batch: { name: 'b', content: 'Hi', tableStorageName: 't', ...more } });

describe('what the old system took or refused', () => {
  it('finds nothing in a good batch', () => assert.deepEqual(findings({}), []));

  for (const [steps, field, words] of [
    [['delivery', 'preparation'], 'steps/1', /before delivery/],
    [['validation', 'validation'], 'steps/1', /each step once/],
    [[], 'steps', /at least one step/],
    [['validation', 'sending'], 'steps/1', /a step that exists: validation/],
  ] as const) {
    it(`the chain ${JSON.stringify(steps)} fits its schema, and is a finding of ${field}`, () => {
      assert.ok(create({ steps }).ok, 'told by validate, beside everything else');
      const found = findings({ steps: [...steps] });
      assert.equal(found.length, 1, JSON.stringify(found));
      assert.equal(found[0]!.field, field);
      assert.match(found[0]!.expected, words);
    });
  }

  it('takes 测试批次 as a name, and any other', () => {
    for (const name of ['测试批次', 'Ελλάδα', 'حملة', '🎉', 'a b', '.', 'x'.repeat(256)]) {
      assert.ok(create({ name }).ok, name);
      assert.deepEqual(findings({ name }), []);
    }
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), (name) => {
        assert.ok(create({ name }).ok);
      }),
    );
  });

  for (const messageType of MESSAGE_TYPES.filter((type) => type !== 'SMS')) {
    it(`refuses ${messageType} by its name, when the batch is checked`, () => {
      assert.ok(create({ messageType }).ok);
      assert.deepEqual(findings({ messageType }), [
        { field: 'messageType', value: messageType, expected: `SMS; ${messageType} is not supported` },
      ]);
    });
  }

  it('has one vocabulary of states: those of the table, and no other', () => {
    const known = new Set<string>([...BATCH_STATUSES, ...PHASE_STATUSES]);
    for (const { from, to } of TRANSITIONS) {
      for (const { status } of [...from, ...to]) assert.ok(known.has(status), status);
    }
    for (const word of ['completed', 'COMPLETED_FAILED', 'CANCELED', 'sms_batch_initial', 'running']) {
      assert.ok(!known.has(word), word);
    }
    assert.equal(stateName({ phase: 'preparation', status: 'Paused' }), 'PreparationPaused');
    assert.equal(stateName({ phase: 'credit-check', status: 'Running' }), 'CreditCheckRunning');
    assert.equal(stateName({ phase: null, status: 'Succeeded' }), 'Succeeded');
  });

  it('tells every finding at once, each with its field', () => {
    const found = findings({
      messageType: 'MMS',
      steps: ['delivery', 'nothing'],
      content: '{{name}}',
      providers: ['mian'],
      sender: 'far too long a sender',
      notAfter: '2020-01-01T00:00:00Z',
      defaultCountry: 'XX',
    });
    assert.deepEqual([...new Set(found.map(({ field }) => field))].sort(), [
      'content',
      'defaultCountry',
      'messageType',
      'notAfter',
      'providers/0',
      'sender',
      'steps/0',
      'steps/1',
    ]);
  });
});
