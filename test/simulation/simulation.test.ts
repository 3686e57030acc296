import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MISTAKES } from './mistakes.ts';
import { simulate } from './simulation.ts';

const STEPS = 100_000;
const SEED = 1;

const again = (seed: number) => `npm run simulate -- --seed ${seed} --steps 1`;

test(`${STEPS} steps: no promise is broken`, async () => {
  const { failure, met, worlds } = await simulate({ seed: SEED, steps: STEPS });
  assert.equal(
    failure && `${failure.trace.join('\n')}\n${failure.message}\n${again(failure.seed)}`,
    undefined,
  );
  // Else it would have proved little.
  assert.ok(worlds >= 5, `${worlds} worlds`);
  for (const [what, count] of Object.entries(met)) assert.ok(count > 0, `nothing of ${what} was met`);
});

test('a seed is the same run each time', async () => {
  const [first, second] = [await simulate({ seed: 7, steps: 1 }), await simulate({ seed: 7, steps: 1 })];
  assert.deepEqual(second, first);
});

describe('a planted mistake is found', () => {
  for (const mistake of Object.keys(MISTAKES)) {
    test(mistake, async () => {
      const { failure } = await simulate({ seed: SEED, steps: STEPS, mistake });
      assert.ok(failure, `nothing was found in ${STEPS} steps`);
    });
  }
});
