import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { maskMsisdn, maskText } from '../../../lib/phone/mask.ts';

test('keeps four digits and the last two; less of a short number', () => {
  assert.equal(maskMsisdn('447911123456'), '4479******56');
  assert.equal(maskMsisdn('+447911123456'), '+4479******56');
  assert.equal(maskMsisdn('4479111'), '44***11');
  assert.equal(maskMsisdn('123456'), '******');
  assert.equal(maskMsisdn(''), '');
});

test('masks numbers inside text, and leaves dates, counts and identifiers legible', () => {
  const rows: [string, string][] = [
    ['failed for 447911123456: 0x0B', 'failed for 4479******56: 0x0B'],
    ['+44 7911 123456 and +86(138)0013-8000.', '+4479******56 and +8613*******00.'],
    ['to=+447911123456,from=1069012345678', 'to=+4479******56,from=1069*******78'],
    ['2026-11-25 00:26:01 sent 123456 of 200000', '2026-11-25 00:26:01 sent 123456 of 200000'],
    ['号码１３８００１３８０００无效', '号码１３８０*****００无效'],
    ['nothing here', 'nothing here'],
  ];
  for (const [text, masked] of rows) assert.equal(maskText(text), masked);
});

test('no run of seven digits is left, and masking again changes nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0123456789+- ab') }), (text) => {
      const masked = maskText(text);
      assert.ok(!/\d{7}/.test(masked), masked);
      assert.equal(maskText(masked), masked);
    }),
  );
});
