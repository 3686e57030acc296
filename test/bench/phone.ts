import parsePhoneNumber, { type CountryCode } from 'libphonenumber-js/max';
import { bucketOf, hashMsisdn } from '../../lib/phone/bucket.ts';
import { normaliseMsisdn } from '../../lib/phone/normalise.ts';
import { COUNTRIES } from '../../scripts/demo/people.ts';
import { bestRate } from './best-rate.ts';

// npx tsx test/bench/phone.ts: numbers a second on one core, best of three runs.
const COUNT = 300_000;
const tails = Array.from({ length: COUNT }, (_, i) => String((i * 7_919_347) % 1e8).padStart(8, '0'));
const british = tails.map((tail) => `4473${tail}`);
const mixed = tails.map((tail, i) => {
  const { prefix, tailDigits } = COUNTRIES[i % COUNTRIES.length]!;
  return `+${prefix}${tail.padStart(tailDigits, '1').slice(-tailDigits)}`;
});

function normalised(name: string, numbers: string[], country?: string): void {
  bestRate(name, numbers.length, () => {
    let accepted = 0;
    for (const number of numbers) if (normaliseMsisdn(number, country).ok) accepted++;
    return accepted;
  });
}

normalised(
  '+E.164, one country',
  british.map((number) => `+${number}`),
);
normalised('+E.164, nine countries', mixed);
normalised(
  'national, default GB',
  tails.map((tail) => `073${tail}`),
  'GB',
);
normalised('E.164 without plus, default GB', british, 'GB');
normalised(
  'with spaces',
  british.map((number) => `+44 ${number.slice(2, 6)} ${number.slice(6)}`),
);
normalised(
  'refused',
  tails.slice(0, 30_000).map((tail) => `+449${tail}0`),
);
const few: [string, CountryCode | undefined][] = british
  .slice(0, 30_000)
  .map((number) => [`+${number}`, undefined]);
bestRate('libphonenumber-js max alone, +E.164', few.length, () => {
  let accepted = 0;
  for (const [number] of few) if (parsePhoneNumber(number, { extract: false })?.isValid()) accepted++;
  return accepted;
});
bestRate('hash and bucket', COUNT, () => {
  let sum = 0;
  for (const number of british) sum += bucketOf(hashMsisdn(number), 8);
  return sum;
});
