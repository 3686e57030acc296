import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { backoffMs } from '../../../lib/lifecycle/backoff.ts';
import { DeadlineError, deadlineIn, withTimeout } from '../../../lib/lifecycle/deadline.ts';
import { loop, loopPart } from '../../../lib/lifecycle/loop.ts';
import { aborted, sleep } from '../../../lib/lifecycle/sleep.ts';

const log = pino({ level: 'silent' });

describe('backoffMs', () => {
  it('grows to its cap and never leaves the upper half of its bound', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, r) => {
          const ms = backoffMs(attempt, { firstMs: 50, capMs: 5_000, random: () => r });
          const bound = Math.min(5_000, 50 * 2 ** (attempt - 1));
          assert.ok(ms >= bound / 2 && ms <= bound);
        },
      ),
    );
  });
});

describe('sleep', () => {
  it('is cut short by its signal and leaves no listener behind', async () => {
    const abort = new AbortController();
    for (let i = 0; i < 20; i++) assert.equal(await sleep(0, abort.signal), true);
    const long = sleep(60_000, abort.signal);
    abort.abort();
    assert.equal(await long, false);
    assert.equal(await sleep(60_000, abort.signal), false);
    await aborted(abort.signal);
  });
});

describe('withTimeout', () => {
  it('says what took too long', async () => {
    await assert.rejects(withTimeout(new Promise(() => {}), 5, 'loading b1'), (err) => {
      assert.ok(err instanceof DeadlineError);
      assert.equal(err.message, 'loading b1: no answer within 5 ms');
      return true;
    });
  });
  it('passes results and errors through', async () => {
    assert.equal(await withTimeout(Promise.resolve(1), 1_000, 'x'), 1);
    await assert.rejects(withTimeout(Promise.reject(new Error('no')), 1_000, 'x'), /^Error: no$/);
  });
  it('a budget is shared by several waits', () => {
    let now = 0;
    const deadline = deadlineIn(100, () => now);
    now = 60;
    assert.equal(deadline.remainingMs(), 40);
    now = 100;
    assert.ok(deadline.passed());
  });
});

describe('loop', () => {
  it('tries again after an error, and ends after the round that runs when it is aborted', async () => {
    const abort = new AbortController();
    const seen: string[] = [];
    let n = 0;
    await loop(
      'test',
      async () => {
        n += 1;
        if (n === 2) throw new Error('once');
        if (n === 3) {
          abort.abort();
          await Promise.resolve();
        }
        seen.push(`round ${n}`);
      },
      abort.signal,
      { log, firstMs: 1 },
    );
    assert.deepEqual(seen, ['round 1', 'round 3']);
  });

  it('as a part: stop waits for the round', async () => {
    let finished = false;
    let entered = () => {};
    const inRound = new Promise<void>((resolve) => {
      entered = resolve;
    });
    const p = loopPart(
      'part',
      async (signal) => {
        entered();
        await aborted(signal);
        await Promise.resolve();
        finished = true;
      },
      { log },
    );
    await p.start();
    await inRound;
    await p.stop();
    assert.ok(finished);
  });
});
