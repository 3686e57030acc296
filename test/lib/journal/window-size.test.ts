import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_WINDOW_MESSAGES, windowSizer } from '../../../lib/journal/window-size.ts';

test('a window is about 100 ms of sending, from 1 to 500 messages', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200_000 }), (perSecond) => {
      const sizer = windowSizer();
      for (let i = 0; i < 30; i++) sizer.sent(sizer.size, (sizer.size * 1_000) / perSecond);
      const ideal = Math.max(1, Math.min(MAX_WINDOW_MESSAGES, perSecond / 10));
      assert.ok(Math.abs(sizer.size - ideal) <= Math.max(1, ideal * 0.1), `${sizer.size} for ${perSecond}/s`);
    }),
  );
});

test('a rate limits it at once', () => {
  const sizer = windowSizer();
  sizer.limit(5);
  assert.equal(sizer.size, 1);
  sizer.limit(200);
  assert.equal(sizer.size, 20);
  sizer.limit(null);
  assert.equal(sizer.size, 50);
});

test('it never leaves its bounds, whatever is measured', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(1_000), fc.double({ min: 0, max: 10_000, noNaN: true })), { maxLength: 50 }),
      (measurements) => {
        const sizer = windowSizer();
        for (const [messages, elapsedMs] of measurements) {
          sizer.sent(messages, elapsedMs);
          assert.ok(sizer.size >= 1 && sizer.size <= MAX_WINDOW_MESSAGES);
        }
      },
    ),
  );
});
