import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RuleDefinition } from '../../../contracts/rule-api.ts';
import { decideTrigger, type Rule } from '../../../services/watcher/pure/decide-trigger.ts';
import type { Trigger } from '../../../services/watcher/pure/map-payload.ts';
import { ruleFindings } from '../../../services/watcher/pure/rule-findings.ts';

const placeholder = (name: string) => `\${${name}}`;

const create: RuleDefinition['command'] = {
  verb: 'create',
  batchId: `order-${placeholder('event.order.id')}`,
  body: {
    start: true,
    batch: {
      name: `Order ${placeholder('event.order.id')} of ${placeholder('trigger.source')}`,
      content: 'Hi {{name}}, it is on its way',
      ratePerSecond: placeholder('event.rate'),
      recipients: [
        { phone: placeholder('event.phone'), variables: { name: placeholder('event.people.0.name') } },
      ],
    },
  },
};
const shop: Rule = { id: 'shop', source: 'shop', command: create };
const event = {
  order: { id: 17, status: 'paid' },
  rate: 5,
  phone: '+447300000001',
  people: [{ name: 'Ann' }],
};
const triggerOf = (more: object = {}, source = 'shop'): Trigger => ({
  source,
  sequence: 9,
  at: '2026-11-25T12:00:00.000Z',
  event: { ...event, ...more },
});

describe('a rule makes a command of an event', () => {
  it('with the event’s fields in it, numbers as numbers, and whose doing it is', () => {
    const decision = decideTrigger([shop], triggerOf());
    assert.ok(decision.kind === 'commands');
    const [{ batchId, verb, body }] = decision.commands as [(typeof decision.commands)[number]];
    assert.deepEqual([batchId, verb], ['order-17', 'create']);
    assert.deepEqual(body, {
      operatorId: 'rule shop',
      reason: 'trigger shop 9',
      origin: { kind: 'trigger', id: 'shop', at: '2026-11-25T12:00:00.000Z' },
      start: true,
      batch: {
        name: 'Order 17 of shop',
        content: 'Hi {{name}}, it is on its way',
        ratePerSecond: 5,
        recipients: [{ phone: '+447300000001', variables: { name: 'Ann' } }],
      },
    });
  });

  for (const { match, fits } of [
    { match: [{ field: 'order.status', equals: 'paid' }], fits: true },
    { match: [{ field: 'order.status', equals: 'open' }], fits: false },
    { match: [{ field: 'order.id', equals: '17' }], fits: false },
    { match: [{ field: 'order.id', oneOf: [16, 17] }], fits: true },
    { match: [{ field: 'people.0.name', exists: true }], fits: true },
    { match: [{ field: 'people.1.name', exists: false }], fits: true },
    { match: [{ field: 'constructor', exists: true }], fits: false },
    {
      match: [
        { field: 'rate', equals: 5 },
        { field: 'order.status', equals: 'open' },
      ],
      fits: false,
    },
  ]) {
    it(`${fits ? 'fits' : 'does not fit'} ${JSON.stringify(match)}`, () => {
      const decision = decideTrigger([{ ...shop, match }], triggerOf());
      assert.equal(decision.kind, fits ? 'commands' : 'refused');
    });
  }

  it('of each rule that fits, in the order of their ids', () => {
    const pause = { id: 'a', source: 'shop', command: { verb: 'pause' as const, batchId: 'summer' } };
    const off = { ...pause, id: 'off', enabled: false };
    const other = { ...pause, id: 'other', source: 'crm' };
    const decision = decideTrigger([shop, pause, off, other], triggerOf());
    assert.ok(decision.kind === 'commands');
    assert.deepEqual(
      decision.commands.map(({ rule }) => rule),
      ['a', 'shop'],
    );
  });
});

describe('an event that makes no command is refused with the reason', () => {
  const reasonOf = (rules: Rule[], trigger: Trigger): string => {
    const decision = decideTrigger(rules, trigger);
    assert.ok(decision.kind === 'refused');
    return decision.reason;
  };

  it('no rule is for its source, or none fits', () => {
    assert.equal(reasonOf([shop], triggerOf({}, 'crm')), 'no rule is for source crm');
    const match = [{ field: 'rate', equals: 6 }];
    assert.match(
      reasonOf([{ ...shop, match }], triggerOf()),
      /none of the 1 rules for source shop fits \(shop\)/,
    );
  });

  it('a field that it lacks, and which it has', () => {
    const reason = reasonOf([shop], triggerOf({ phone: undefined, order: { id: 17 } }));
    assert.match(
      reason,
      /shop\/body\/batch\/recipients\/0\/phone .*event\.phone.*: expected a field that the event has: it has order\.id, rate/,
    );
  });

  it('an object where a text is wanted, a batch ID that is none, a body that does not fit its command', () => {
    assert.match(
      reasonOf([shop], triggerOf({ order: { id: { a: 1 } } })),
      /a field that holds a text or a number/,
    );
    assert.match(
      reasonOf([shop], triggerOf({ order: { id: 'a.b' } })),
      /shop\/batchId "order-a\.b": expected 1 to 64/,
    );
    assert.match(reasonOf([shop], triggerOf({ rate: 'fast' })), /shop\/body\/batch\/ratePerSecond "fast"/);
  });

  it('of several rules not one is obeyed: replayed, it would be obeyed twice', () => {
    const pause = { id: 'a', source: 'shop', command: { verb: 'pause' as const, batchId: 'summer' } };
    assert.match(reasonOf([pause, shop], triggerOf({ phone: undefined })), /event\.phone/);
  });
});

describe('a rule that cannot hold is refused when it is made', () => {
  const fieldsOf = (rule: RuleDefinition) =>
    ruleFindings(rule)
      .map(({ field }) => field)
      .sort();

  it('takes one whose values come with the event', () => {
    assert.deepEqual(ruleFindings(shop), []);
  });

  it('names every mistake', () => {
    assert.deepEqual(
      fieldsOf({
        source: 'shop',
        match: [{ field: 'a' }, { field: 'b', equals: 1, exists: true }],
        command: {
          verb: 'create',
          batchId: 'a b',
          body: { batch: { name: placeholder('order.id'), content: '', colour: 'red' } },
        },
      }),
      [
        'command/batchId',
        'command/body/batch/colour',
        'command/body/batch/content',
        'command/body/batch/name',
        'match/0',
        'match/1',
      ],
    );
  });
});
