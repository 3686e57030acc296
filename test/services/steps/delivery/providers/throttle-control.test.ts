import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { throttleControl } from '../../../../../services/steps/delivery/providers/throttle-control.ts';

/** A carrier that takes `perSecond`, and a sender that does as the control says; ms by ms. */
function simulate(perSecond: number, seconds: number, adapt = true): { accepted: number; refused: number } {
  const control = throttleControl({ adapt });
  let tokens = perSecond / 10;
  let accepted = 0;
  let refused = 0;
  const half = (seconds * 1_000) / 2;
  for (let now = 1; now < seconds * 1_000; now++) {
    tokens = Math.min(perSecond / 10, tokens + perSecond / 1_000);
    for (let sent = 0; sent < 20 && control.allowance(now) >= 1; sent++) {
      control.spend(1);
      if (tokens >= 1) {
        tokens -= 1;
        control.accepted(now);
        if (now > half) accepted += 1;
      } else {
        control.throttled(now);
        refused += 1;
      }
    }
  }
  return { accepted: accepted / (seconds / 2), refused };
}

test('it finds the carrier’s rate from above, and keeps near it with few refusals', () => {
  fc.assert(
    fc.property(fc.integer({ min: 20, max: 5_000 }), (perSecond) => {
      const { accepted, refused } = simulate(perSecond, 60);
      assert.ok(accepted >= perSecond * 0.7, `${accepted} of ${perSecond}/s`);
      assert.ok(refused <= 60 * 2, `${refused} refusals in a minute`);
    }),
    { numRuns: 20 },
  );
});

test('a burst of refusals is one event; the hold doubles until something is accepted', () => {
  const control = throttleControl({ adapt: false });
  control.throttled(1_000);
  for (let i = 0; i < 50; i++) control.throttled(1_010);
  assert.equal(control.heldUntilMs(), 1_100);
  assert.equal(control.allowance(1_099), 0);
  control.throttled(1_100);
  assert.equal(control.heldUntilMs(), 1_300);
  control.accepted(1_301);
  control.throttled(1_400);
  assert.equal(control.heldUntilMs(), 1_500);
});

test('without adapting it only holds: the rate is lowered for all hosts elsewhere', () => {
  const control = throttleControl({ adapt: false });
  control.throttled(1_000);
  assert.equal(control.adapting, false);
  assert.equal(control.allowance(1_200), Number.MAX_SAFE_INTEGER);
});
