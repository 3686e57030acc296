import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { group, type Part, part, together } from '../../../lib/lifecycle/part.ts';

/** A part that counts how many of it are open. */
function counted(name = 'counted') {
  const seen: string[] = [];
  const state = { open: 0, most: 0 };
  const p = part(name, async ({ defer }) => {
    state.open += 1;
    state.most = Math.max(state.most, state.open);
    seen.push('open');
    defer(async () => {
      await Promise.resolve();
      state.open -= 1;
      seen.push('close');
    });
    await Promise.resolve();
  });
  return { part: p, seen, state };
}

describe('part', () => {
  it('start twice opens once, stop twice closes once', async () => {
    const c = counted();
    await Promise.all([c.part.start(), c.part.start()]);
    await c.part.start();
    await Promise.all([c.part.stop(), c.part.stop()]);
    await c.part.stop();
    assert.deepEqual(c.seen, ['open', 'close']);
  });

  it('stop before start does nothing, and the start after it works', async () => {
    const c = counted();
    await c.part.stop();
    await c.part.start();
    assert.equal(c.state.open, 1);
    await c.part.stop();
    assert.equal(c.state.open, 0);
  });

  it('a stop while it starts ends the start by its signal and closes what was opened', async () => {
    const seen: string[] = [];
    const p = part('slow', async ({ signal, defer }) => {
      defer(() => seen.push('closed'));
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      seen.push('aborted');
    });
    const started = p.start();
    await p.stop();
    await assert.rejects(started, /slow was stopped while it started/);
    assert.deepEqual(seen, ['aborted', 'closed']);
  });

  it('a start that fails halfway closes what it had opened, and may be tried again', async () => {
    const seen: string[] = [];
    let fail = true;
    const p = part('half', ({ defer }) => {
      defer(() => seen.push('first closed'));
      if (fail) throw new Error('port taken');
    });
    await assert.rejects(p.start(), /port taken/);
    assert.deepEqual(seen, ['first closed']);
    fail = false;
    await p.start();
    await p.stop();
    assert.deepEqual(seen, ['first closed', 'first closed']);
  });

  it('closes everything, in reverse, even where one closing throws', async () => {
    const seen: number[] = [];
    const p = part('many', ({ defer }) => {
      for (const n of [1, 2, 3]) {
        defer(() => {
          seen.push(n);
          if (n === 2) throw new Error('two');
        });
      }
    });
    await p.start();
    await assert.rejects(p.stop(), /two/);
    assert.deepEqual(seen, [3, 2, 1]);
  });

  it('is disposed at the end of its scope', async () => {
    const c = counted();
    {
      await using p = c.part;
      await p.start();
    }
    assert.deepEqual(c.seen, ['open', 'close']);
  });

  it('whatever the order of starts and stops, at most one is open, and none after the last stop', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 12 }), fc.nat(3), async (calls, yields) => {
        const c = counted();
        const pending: Promise<unknown>[] = [];
        for (const start of calls) {
          pending.push((start ? c.part.start() : c.part.stop()).catch(() => {}));
          for (let i = 0; i < yields; i++) await Promise.resolve();
        }
        await Promise.all(pending);
        await c.part.stop();
        assert.ok(c.state.most <= 1);
        assert.equal(c.state.open, 0);
      }),
    );
  });
});

describe('group', () => {
  const named = (name: string, seen: string[], fail = false): Part =>
    part(name, ({ defer }) => {
      if (fail) throw new Error(`${name} failed`);
      seen.push(`+${name}`);
      defer(() => seen.push(`-${name}`));
    });

  it('starts in order and stops in reverse', async () => {
    const seen: string[] = [];
    const g = group('all', [named('a', seen), named('b', seen)]);
    await g.start();
    await g.stop();
    assert.deepEqual(seen, ['+a', '+b', '-b', '-a']);
  });

  it('a part that fails to start stops the ones before it', async () => {
    const seen: string[] = [];
    const g = group('all', [named('a', seen), named('b', seen, true), named('c', seen)]);
    await assert.rejects(g.start(), /b failed/);
    assert.deepEqual(seen, ['+a', '-a']);
  });

  it('a stop reaches the part that hangs in its start', async () => {
    const hanging = part(
      'hanging',
      ({ signal }) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
    );
    const g = group('all', [hanging]);
    const started = g.start();
    started.catch(() => {});
    await g.stop();
    await assert.rejects(started, /hanging was stopped/);
  });
});

describe('together', () => {
  it('stops all at the same time, each of them even if one throws', async () => {
    let waiting = 0;
    let release = () => {};
    const allWait = new Promise<void>((resolve) => {
      release = resolve;
    });
    const parts = [1, 2, 3].map((n) =>
      part(`p${n}`, ({ defer }) => {
        defer(async () => {
          waiting += 1;
          // Ends only when all three are here.
          if (waiting === 3) release();
          await allWait;
          if (n === 2) throw new Error('two');
        });
      }),
    );
    const all = together('all', parts);
    await all.start();
    await assert.rejects(all.stop(), /two/);
    assert.equal(waiting, 3);
  });

  it('one that fails to start stops the others', async () => {
    let open = 0;
    const good = part('good', ({ defer }) => {
      open += 1;
      defer(() => {
        open -= 1;
      });
    });
    const bad = part('bad', () => {
      throw new Error('no');
    });
    await assert.rejects(together('all', [good, bad]).start(), /no/);
    assert.equal(open, 0);
  });
});
