import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { turnstile } from '../../../lib/lifecycle/turnstile.ts';

describe('turnstile', () => {
  it('never lets more through than it may, loses none, keeps the order, and knows when it is idle', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 1, max: 4 }),
        fc.nat({ max: 12 }),
        async (s, most, count) => {
          const turns = turnstile(most, Number.POSITIVE_INFINITY);
          const begun: number[] = [];
          let running = 0;
          const all = Array.from({ length: count }, (_, n) =>
            turns.run(async () => {
              begun.push(n);
              running++;
              assert.ok(running <= most);
              await s.schedule(Promise.resolve());
              running--;
              if (n % 3 === 0) throw new Error('some fail');
            }),
          );
          const settled = Promise.allSettled(all);
          await s.waitFor(Promise.all([settled, turns.idle()]));
          assert.equal(running, 0);
          assert.deepEqual(
            begun,
            Array.from({ length: count }, (_, n) => n),
          );
        },
      ),
    );
  });

  it('sends away whom it has no place for', async () => {
    const turns = turnstile(1, 1);
    const first = turns.run(async () => 1);
    const second = turns.run(async () => 2);
    assert.equal(
      turns.run(async () => 3),
      undefined,
    );
    assert.deepEqual(await Promise.all([first, second]), [1, 2]);
  });
});
