import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { normaliseText, TOUCHED_BY_NFC } from '../../../lib/sms/normalise-text.ts';
import { measure } from '../../../lib/sms/segments.ts';

test('a decomposed accent costs no UCS-2', () => {
  const decomposed = 'e\u0301'.repeat(70);
  assert.deepEqual({ ...measure(decomposed) }, { encoding: 'ucs2', segments: 3 });
  assert.deepEqual({ ...measure(normaliseText(decomposed)) }, { encoding: 'gsm7', segments: 1 });
});

test('it is NFC, whatever the text', () => {
  const unit = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    fc.constantFrom(
      ...'aeéçΩ\u0301\u0327\u0338\u3099\u302a\u302bかは中\u1100\u1161\uac00\u11a8\u2126\u212b\u2000',
    ),
  );
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 30 }), (text) => {
      assert.equal(normaliseText(text), text.normalize('NFC'));
    }),
    { numRuns: 1000 },
  );
});

test('what the fast path passes over is no mark and changes under no normalisation', () => {
  for (let unit = 0; unit < 0x10000; unit++) {
    const character = String.fromCharCode(unit);
    if (TOUCHED_BY_NFC.test(character)) continue;
    assert.equal(character.normalize('NFC'), character, unit.toString(16));
    assert.ok(!/\p{M}/u.test(character), unit.toString(16));
  }
});
