import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import Type from 'typebox';
import type { StepChoice } from '../../../contracts/batch.ts';
import { BUILT_IN_STEPS } from '../../../contracts/states.ts';
import { resolveChain } from '../../../lib/batch/chain.ts';
import type { StepTypeFacts } from '../../../lib/steps/built-in.ts';
import { builtInStepTypes, type StepTypes } from '../../../lib/steps/step-types.ts';

const custom = (type: string, more: Partial<StepTypeFacts> = {}): [string, StepTypeFacts] => [
  type,
  {
    type,
    builtIn: false,
    description: '',
    timeoutMs: 5_000,
    configSchema: Type.Object({}, { additionalProperties: false }),
    needs: more.place?.after === undefined ? [] : [{ type: more.place.after, implied: false }],
    ...more,
  },
];

const types: StepTypes = new Map([
  ...builtInStepTypes(),
  custom('credit-check', {
    place: { after: 'preparation', before: 'delivery' },
    configSchema: Type.Object({ limit: Type.Integer({ minimum: 1 }) }, { additionalProperties: false }),
  }),
  custom('report'),
]);

const typesOf = (choices: StepChoice[] | undefined): string[] => {
  const resolved = resolveChain(choices, types);
  assert.ok(resolved.ok, JSON.stringify(resolved));
  return resolved.steps.map(({ type }) => type);
};
const findingsOf = (choices: StepChoice[]): [field: string, value: unknown, expected: string][] => {
  const resolved = resolveChain(choices, types);
  assert.ok(!resolved.ok, 'the chain was accepted');
  return resolved.findings.map(({ field, value, expected }) => [field, value, expected]);
};

const check = { type: 'credit-check', config: { limit: 5 } };

for (const [given, whole] of [
  [undefined, ['validation', 'partition', 'preparation', 'delivery', 'statistics']],
  [['validation'], ['validation']],
  [['preparation'], ['partition', 'preparation']],
  [
    ['partition', 'preparation'],
    ['partition', 'preparation'],
  ],
  [['statistics'], ['partition', 'statistics']],
  [
    ['preparation', check, 'delivery', 'report'],
    ['partition', 'preparation', 'credit-check', 'delivery', 'statistics', 'report'],
  ],
  [
    ['report', 'validation', 'preparation', 'delivery', 'statistics', 'cleanup'],
    ['report', 'validation', 'partition', 'preparation', 'delivery', 'statistics', 'cleanup'],
  ],
] as [StepChoice[] | undefined, string[]][]) {
  test(`${JSON.stringify(given)} becomes ${whole.join(', ')}`, () => {
    assert.deepEqual(typesOf(given), whole);
  });
}

for (const [given, found] of [
  [[], [['steps', [], 'at least one step, or no list at all']]],
  [['delivery', 'preparation'], [['steps/1', 'preparation', 'before delivery']]],
  [
    ['preparation', 'preparation'],
    [['steps/1', 'preparation', 'each step once: it stands at steps/0 already']],
  ],
  [['delivery'], [['steps/0', 'delivery', 'preparation before it']]],
  [['preparation', 'partition'], [['steps/1', 'partition', 'before preparation']]],
  [['preparation', 'delivery', check], [['steps/2', 'credit-check', 'before delivery']]],
  [[check, 'preparation'], [['steps/0', 'credit-check', 'preparation before it']]],
  [
    ['preparation', { type: 'credit-check', config: { limit: 0 } }],
    [['steps/1/config/limit', 0, 'a number >= 1']],
  ],
  [
    ['preparation', { type: 'delivery', config: { fast: true } }],
    [['steps/1/config/fast', true, 'no such field']],
  ],
] as [StepChoice[], [string, unknown, string][]][]) {
  test(`${JSON.stringify(given)} is refused: ${found.map(([field]) => field).join(', ')}`, () => {
    assert.deepEqual(findingsOf(given), found);
  });
}

test('an unknown step is refused with the steps that there are', () => {
  const [[field, value, expected]] = findingsOf(['validation', 'sending']) as [[string, unknown, string]];
  assert.equal(field, 'steps/1');
  assert.equal(value, 'sending');
  assert.match(expected, /a step that exists: validation, .*credit-check, report/);
});

test('every finding comes at once', () => {
  assert.deepEqual(
    findingsOf(['delivery', 'nothing', 'delivery', 'preparation']).map(([field]) => field),
    ['steps/1', 'steps/2', 'steps/3'],
  );
});

test('a step that others need cannot be passed over alone', () => {
  const skipIf = { field: 'messageCategory', equals: 'marketing' } as const;
  assert.deepEqual(
    findingsOf([{ type: 'preparation', skipIf }, 'delivery']).map(([field]) => field),
    ['steps/0/skipIf'],
  );
  assert.deepEqual(
    typesOf([
      { type: 'preparation', skipIf },
      { type: 'delivery', skipIf },
    ]).slice(1, 3),
    ['preparation', 'delivery'],
  );
});

test('time-outs come from the choice, else from the type', () => {
  const resolved = resolveChain([{ type: 'preparation', timeoutMs: 7_000 }, check, 'delivery'], types);
  assert.ok(resolved.ok);
  const byType = new Map(resolved.steps.map(({ type, timeoutMs }) => [type, timeoutMs]));
  assert.equal(byType.get('preparation'), 7_000);
  assert.equal(byType.get('credit-check'), 5_000);
  assert.equal(byType.get('delivery'), types.get('delivery')!.timeoutMs);
});

test('whatever the list, an accepted chain is in order, without twins, and has what its steps need', () => {
  const names = fc.constantFrom(...BUILT_IN_STEPS, 'credit-check', 'report', 'unknown');
  fc.assert(
    fc.property(fc.array(names, { maxLength: 8 }), (list) => {
      const choices = list.map((type) => (type === 'credit-check' ? check : type));
      const resolved = resolveChain(choices, types);
      if (!resolved.ok) {
        assert.ok(resolved.findings.length > 0);
        for (const { field } of resolved.findings) assert.match(field, /^steps(\/\d+(\/.*)?)?$/);
        return;
      }
      const chain = resolved.steps.map(({ type }) => type);
      assert.equal(new Set(chain).size, chain.length);
      assert.ok(list.every((type) => chain.includes(type)));
      const builtIn = chain.filter((type) => (BUILT_IN_STEPS as readonly string[]).includes(type));
      assert.deepEqual(
        builtIn,
        BUILT_IN_STEPS.filter((type) => builtIn.includes(type)),
      );
      chain.forEach((type, at) => {
        for (const needed of types.get(type)!.needs)
          assert.ok(chain.indexOf(needed.type) < at && chain.includes(needed.type));
      });
      if (chain.includes('delivery')) assert.ok(chain.includes('statistics'));
      // A chain that is given whole resolves to itself.
      const again = resolveChain(
        chain.map((type) => (type === 'credit-check' ? check : type)),
        types,
      );
      assert.ok(again.ok);
      assert.deepEqual(again.steps, resolved.steps);
    }),
    { numRuns: 2_000 },
  );
});
