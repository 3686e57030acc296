import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import Type, { type TSchema } from 'typebox';
import { check } from '../../contracts/check.ts';
import { COMMANDS } from '../../contracts/commands.ts';
import { BatchState } from '../../contracts/states.ts';
import { TABLE_SOURCES } from '../../contracts/tables.ts';

const findings = (schema: TSchema, value: unknown) => {
  const checked = check(schema, value);
  return checked.ok ? [] : checked.errors;
};
const told = (schema: TSchema, value: unknown) =>
  findings(schema, value).map(({ field, expected }) => [field, expected]);

describe('check', () => {
  it('gives back what fits, and changes nothing of it', () => {
    const value = Object.freeze({ patch: Object.freeze({ name: '测试批次' }) });
    const checked = check(COMMANDS.update, value);
    assert.ok(checked.ok);
    assert.equal(checked.value, value);
  });

  it('tells every finding at once, however many', () => {
    const recipients = Array.from({ length: 300 }, () => ({ phone: '' }));
    const found = findings(COMMANDS.create, { batch: { name: 'n', content: 'c', recipients } });
    assert.equal(found.length, 300);
    assert.equal(found[299]!.field, 'batch/recipients/299/phone');
  });

  it('names the field by its path, shows what stood there, and says what is accepted', () => {
    const batch = {
      name: '',
      content: 5,
      tableStorageName: 'a.b',
      messageType: 'FAX',
      maxParts: 99,
      ratePerSecond: 0,
      tags: 'x',
      notAfter: 'soon',
      onInDoubt: 'ask',
      recipients: [],
      colour: 'red',
    };
    assert.deepEqual(
      findings(COMMANDS.create, { batch }).sort((a, b) => (a.field < b.field ? -1 : 1)),
      [
        { field: 'batch/colour', value: 'red', expected: 'no such field' },
        { field: 'batch/content', value: 5, expected: 'a value of type string' },
        { field: 'batch/maxParts', value: 99, expected: 'a number <= 20' },
        { field: 'batch/messageType', value: 'FAX', expected: 'one of "SMS", "MMS", "VOICE"' },
        { field: 'batch/name', value: '', expected: 'at least 1 characters' },
        { field: 'batch/notAfter', value: 'soon', expected: 'an RFC 3339 time, as 2026-11-24T12:00:00Z' },
        { field: 'batch/onInDoubt', value: 'ask', expected: '"hold" or "resend"' },
        { field: 'batch/ratePerSecond', value: 0, expected: 'a number > 0' },
        { field: 'batch/tableStorageName', value: 'a.b', expected: '1 to 64 of A-Z, a-z, 0-9, _ and -' },
        { field: 'batch/tags', value: 'x', expected: 'a value of type array' },
      ],
    );
  });

  it('shows nothing giant: an error is never larger than its cause', () => {
    const huge = 'x'.repeat(100_000);
    const values = [huge, { huge }, [huge, huge], { a: { b: [huge] } }];
    for (const reason of values) {
      const found = findings(COMMANDS.pause, { reason });
      assert.equal(found.length, 1);
      assert.ok(JSON.stringify(found).length < 400, JSON.stringify(found).slice(0, 500));
    }
    assert.ok(JSON.stringify(findings(COMMANDS.pause, { [huge.slice(0, 100)]: huge })).length < 600);
  });

  it('tells of a union what the branch lacks that was meant', () => {
    const steps = (...list: unknown[]) => ({ batch: { name: 'n', content: 'c', steps: list } });
    assert.deepEqual(told(COMMANDS.create, steps({ type: 'A' })), [
      ['batch/steps/0/type', 'a step type: a lower-case letter, then up to 31 of a-z, 0-9 and -'],
    ]);
    assert.deepEqual(told(COMMANDS.create, steps({ type: 'a', fast: 1 })), [
      ['batch/steps/0/fast', 'no such field'],
    ]);
    assert.deepEqual(told(COMMANDS.create, steps('A')), [
      ['batch/steps/0', 'a step type: a lower-case letter, then up to 31 of a-z, 0-9 and -'],
    ]);
    assert.deepEqual(told(COMMANDS.create, steps(5)), [
      ['batch/steps/0', 'a value of type string or a value of type object'],
    ]);
    assert.deepEqual(told(Type.Union([Type.Null(), Type.Object({ a: Type.String() })]), {}), [
      ['a', 'a value: the field is required'],
    ]);
  });

  it('keeps states of a phase and of the whole batch apart', () => {
    assert.ok(check(BatchState, { phase: 'delivery', status: 'Paused' }).ok);
    assert.ok(check(BatchState, { phase: null, status: 'Aborted' }).ok);
    for (const state of [
      { phase: null, status: 'Paused' },
      { phase: 'delivery', status: 'Aborted' },
      { phase: 'delivery', status: 'paused' },
    ]) {
      assert.equal(check(BatchState, state).ok, false, JSON.stringify(state));
    }
  });

  it('tells a source of a table what its own kind lacks', () => {
    assert.deepEqual(told(TABLE_SOURCES.object, { kind: 'object' }), [
      ['name', 'a value: the field is required'],
    ]);
  });

  it('refuses hostile bodies, and leaves no trace of them', () => {
    for (const text of ['{"__proto__": {"polluted": true}}', '{"constructor": {"prototype": {}}}']) {
      assert.equal(check(COMMANDS.start, JSON.parse(text)).ok, false, text);
    }
    assert.equal(({} as { polluted?: boolean }).polluted, undefined);
  });

  it('takes nothing nested so deeply that no store would keep it', () => {
    const nested = (levels: number) => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);
    const withConfig = (value: unknown) => ({
      batch: { name: 'n', content: 'c', steps: [{ type: 'a', config: { value } }] },
    });
    assert.ok(check(COMMANDS.create, withConfig(nested(20))).ok);
    for (const levels of [40, 200_000]) {
      assert.deepEqual(told(COMMANDS.create, withConfig(nested(levels))), [
        ['batch', 'at most 32 levels of nesting'],
      ]);
      assert.deepEqual(told(COMMANDS.pause, { reason: nested(levels) }), [
        ['reason', 'at most 32 levels of nesting'],
      ]);
    }
  });

  it('takes no time that a clock cannot read', () => {
    const times = fc.stringMatching(
      /^20[0-9]{2}-(0[1-9]|1[0-2])-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,9})?(Z|[+-][01][0-9]:[0-5][0-9])$/,
    );
    fc.assert(
      fc.property(times, (notAfter) => {
        const taken = check(COMMANDS.update, { patch: { notAfter } }).ok;
        if (taken) assert.ok(Number.isFinite(Date.parse(notAfter)), notAfter);
      }),
      { numRuns: 1_000, includeErrorInReport: true },
    );
  });

  it('answers any JSON at all with a verdict, and a refusal with findings', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(COMMANDS)), fc.jsonValue(), (schema, value) => {
        const checked = check(schema as TSchema, value);
        if (checked.ok) return;
        assert.ok(checked.errors.length > 0);
        const fields = checked.errors.map(({ field }) => field);
        assert.equal(new Set(fields).size, fields.length, 'one finding a field');
        for (const { expected } of checked.errors) assert.ok(expected.length > 0);
      }),
      { includeErrorInReport: true },
    );
  });
});
