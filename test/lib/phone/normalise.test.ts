import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { normaliseMsisdn } from '../../../lib/phone/normalise.ts';
import { PHONE_REFUSALS, type PhoneRefusalCode } from '../../../lib/phone/refusals.ts';

const GB = '447911123456';

test('what people write, as E.164', () => {
  const rows: [string, string | undefined, string][] = [
    ['+447911123456', undefined, GB],
    ['+44 7911 123456', undefined, GB],
    ['+44 (0)7911 123456', undefined, GB],
    ['(+44) 7911-123.456', undefined, GB],
    ['0044 7911 123456', undefined, GB],
    // 00 is not how Americans dial abroad, but it is how people write it.
    ['00447911123456', 'US', GB],
    ['011447911123456', 'US', GB],
    ['07911 123456', 'GB', GB],
    ['07911 123456', 'gb', GB],
    ['7911123456', 'GB', GB],
    ['447911123456', 'GB', GB],
    ['+447911123456', 'CN', GB],
    ['１３８００１３８０００', 'CN', '8613800138000'],
    ['＋８６ 138 0013 8000', undefined, '8613800138000'],
    ['٠٧٩١١١٢٣٤٥٦', 'GB', GB],
    ['۰۷۹۱۱۱۲۳۴۵۶', 'GB', GB],
    ['\u202a+447911123456\u202c', undefined, GB],
    ['\ufeff+447911123456', undefined, GB],
    [' +447911123456\r', undefined, GB],
    // Excel.
    ['447911123456.0', 'GB', GB],
    ['447911123456,00', 'GB', GB],
    ['="+447911123456"', undefined, GB],
    ["'07911123456", 'GB', GB],
    // Fixed lines are kept: nobody can know which take texts.
    ['+442079460018', undefined, '442079460018'],
    ['+525512345678', undefined, '525512345678'],
    ['8 (912) 345-67-89', 'RU', '79123456789'],
    ['0111523456789', 'AR', '5491123456789'],
    ['+80012345678', undefined, '80012345678'],
  ];
  for (const [raw, country, msisdn] of rows) {
    assert.deepEqual(normaliseMsisdn(raw, country), { ok: true, msisdn }, `${raw} ${country ?? ''}`);
  }
});

test('what is refused, and why', () => {
  const rows: [string, string | undefined, PhoneRefusalCode][] = [
    ['', 'GB', 'EMPTY'],
    ['  \t', 'GB', 'EMPTY'],
    ['n/a', 'GB', 'NOT_A_NUMBER'],
    ['-', 'GB', 'NOT_A_NUMBER'],
    ['0800 FLOWERS', 'GB', 'NOT_A_NUMBER'],
    // libphonenumber would take the number out of it unless told not to.
    ['+447911123456abc', undefined, 'NOT_A_NUMBER'],
    ['tel +447911123456', undefined, 'NOT_A_NUMBER'],
    ['+447911123456;+447911123457', undefined, 'NOT_A_NUMBER'],
    ['+447911123456 / +447911123457', undefined, 'NOT_A_NUMBER'],
    ['07911123456/07911123457', 'GB', 'TOO_LONG'],
    ['1'.repeat(300), 'GB', 'TOO_LONG'],
    ['+4479', undefined, 'TOO_SHORT'],
    ['+44791112345678', undefined, 'TOO_LONG'],
    ['+999123456789', undefined, 'INVALID_COUNTRY'],
    ['07911123456', undefined, 'NO_DEFAULT_COUNTRY'],
    ['447911123456', undefined, 'NO_DEFAULT_COUNTRY'],
    ['07911123456', 'XX', 'UNKNOWN_DEFAULT_COUNTRY'],
    ['07911123456', 'constructor', 'UNKNOWN_DEFAULT_COUNTRY'],
    ['+12001234567', undefined, 'NOT_VALID_FOR_COUNTRY'],
    ['+5215512345678', undefined, 'OLD_MEXICAN_PREFIX'],
    ['00 52 1 55 1234 5678', undefined, 'OLD_MEXICAN_PREFIX'],
    ['5215512345678', 'MX', 'OLD_MEXICAN_PREFIX'],
    ['4.47911E+11', 'GB', 'SCIENTIFIC_NOTATION'],
    ['4,47911e11', 'GB', 'SCIENTIFIC_NOTATION'],
    ['1.23E+11', undefined, 'SCIENTIFIC_NOTATION'],
    ['+442079460018 ext. 5', undefined, 'HAS_EXTENSION'],
    ['+442079460018 x5', undefined, 'HAS_EXTENSION'],
  ];
  for (const [raw, country, code] of rows) {
    assert.deepEqual(
      normaliseMsisdn(raw, country),
      { ok: false, code, reason: PHONE_REFUSALS[code] },
      `${raw.slice(0, 40)} ${country ?? ''}`,
    );
  }
});

test('whatever stands in the cell, there is a verdict, and an accepted number is accepted again as itself', () => {
  const unit = fc.oneof(fc.constantFrom(...'0123456789+ ()-.'), fc.string({ unit: 'binary', maxLength: 1 }));
  fc.assert(
    fc.property(
      fc.string({ unit, maxLength: 40 }),
      fc.constantFrom(undefined, 'GB', 'US', 'CN', 'AR'),
      (raw, country) => {
        const verdict = normaliseMsisdn(raw, country);
        if (!verdict.ok) return;
        assert.match(verdict.msisdn, /^[1-9]\d{4,19}$/);
        assert.deepEqual(normaliseMsisdn(`+${verdict.msisdn}`, country), verdict);
      },
    ),
    { numRuns: 3000 },
  );
});
