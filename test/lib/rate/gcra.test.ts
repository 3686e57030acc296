import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { adaptation, decreased, factorNow } from '../../../lib/rate/adaptation.ts';
import { type Backlog, decide } from '../../../lib/rate/gcra.ts';
import { assertWithin, type Grant } from './window-check.ts';

const limits = { maxAheadMs: 250, maxGapMs: 50 };

describe('decide', () => {
  it('over any interleaving, no bucket grants more than rate × window + burst in any window', () => {
    const step = fc.record({
      pauseMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 400, noNaN: true })),
      cost: fc.integer({ min: 1, max: 20 }),
      batch: fc.integer({ min: 0, max: 2 }),
    });
    const rates = fc.record({
      account: fc.double({ min: 1, max: 2_000, noNaN: true }),
      batch: fc.double({ min: 1, max: 2_000, noNaN: true }),
      burst: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(rates, fc.array(step, { maxLength: 80 }), ({ account, batch, burst }, steps) => {
        const backlogs = new Map<string, Backlog>();
        const grants = new Map<string, Grant[]>();
        let nowMs = 1_000;
        for (const each of steps) {
          nowMs += each.pauseMs;
          const keys = ['account', `batch${each.batch}`];
          const rate = (key: string) => (key === 'account' ? account : batch);
          const buckets = keys.map((key) => ({
            ratePerSecond: rate(key),
            burst,
            backlog: backlogs.get(key),
          }));
          const decision = decide(buckets, each.cost, nowMs, limits);
          if (!decision.granted) {
            assert.ok(decision.retryAfterMs > 0);
            continue;
          }
          assert.ok(decision.startMs >= nowMs && decision.startMs <= nowMs + limits.maxAheadMs + 1e-9);
          keys.forEach((key, i) => {
            backlogs.set(key, decision.backlogs[i] as Backlog);
            grants.set(key, [...(grants.get(key) ?? []), { startMs: decision.startMs, cost: each.cost }]);
          });
        }
        for (const [key, list] of grants) {
          assertWithin(list, key === 'account' ? account : batch, Math.max(burst ?? 0, 20));
        }
      }),
    );
  });

  it('a greedy caller gets the whole rate', () => {
    let backlog: Backlog | undefined;
    let nowMs = 0;
    let granted = 0;
    while (nowMs < 10_000) {
      const decision = decide([{ ratePerSecond: 100, backlog }], 10, nowMs, limits);
      if (decision.granted) {
        granted += 10;
        backlog = decision.backlogs[0];
      } else nowMs += decision.retryAfterMs;
    }
    assert.ok(granted >= 1_000 && granted <= 1_040, `${granted}`);
  });

  it('waits exactly as long as it was told, and is granted then', () => {
    const backlog = { untilMs: 2_000, ratePerSecond: 10 };
    const refused = decide([{ ratePerSecond: 10, backlog }], 1, 1_000, limits);
    assert.deepEqual(refused, { granted: false, retryAfterMs: 750, limiting: 0 });
    assert.equal(decide([{ ratePerSecond: 10, backlog }], 1, 1_750, limits).granted, true);
  });

  it('all or none, from the latest start, and says which bucket decided', () => {
    const account = { ratePerSecond: 1_000, backlog: { untilMs: 1_100, ratePerSecond: 1_000 } };
    const batch = { ratePerSecond: 10, backlog: { untilMs: 1_140, ratePerSecond: 10 } };
    const decision = decide([account, batch], 1, 1_000, limits);
    assert.ok(decision.granted);
    assert.equal(decision.startMs, 1_140);
    assert.equal(decision.limiting, 1);
    assert.deepEqual(
      decision.backlogs.map((each) => each.untilMs),
      [1_141, 1_240],
    );
  });

  it('a slow batch leaves no hole in the account: it comes back rather than reserve far ahead', () => {
    const account = { ratePerSecond: 1_000, backlog: undefined };
    const batch = { ratePerSecond: 10, backlog: { untilMs: 1_200, ratePerSecond: 10 } };
    const decision = decide([account, batch], 1, 1_000, limits);
    assert.deepEqual(decision, { granted: false, retryAfterMs: 150, limiting: 1 });
  });

  it('a rate that was raised does not wait for the backlog of the old one', () => {
    const backlog = { untilMs: 101_000, ratePerSecond: 1 };
    const decision = decide([{ ratePerSecond: 1_000, backlog }], 1, 1_000, limits);
    assert.ok(decision.granted && decision.startMs === 1_100);
  });
});

describe('adaptation', () => {
  it('gives way at once, once for one overload, holds, and comes back', () => {
    const first = decreased(undefined, 0);
    assert.equal(factorNow(first, 0), 0.75);
    assert.equal(decreased(first, 100), first);
    assert.equal(factorNow(first, adaptation.holdMs), 0.75);
    assert.ok(Math.abs(factorNow(first, adaptation.holdMs + 5_000) - 0.85) < 1e-9);
    assert.equal(factorNow(first, 60_000), 1);
  });

  it('never to nothing', () => {
    let now = decreased(undefined, 0);
    for (let i = 1; i < 100; i++) now = decreased(now, i * adaptation.decreaseEveryMs);
    assert.equal(factorNow(now, 99 * adaptation.decreaseEveryMs), adaptation.leastFactor);
  });
});
