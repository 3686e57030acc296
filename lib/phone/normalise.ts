import { type CountryCode, ParseError, parsePhoneNumberWithError } from 'libphonenumber-js/max';
import { clean, isPlain, isScientific, undoSpreadsheet } from './clean.ts';
import { fastMsisdn } from './fast-path.ts';
import { isKnownCountry, lengthProblem } from './numbering-plan.ts';
import { PHONE_REFUSALS, type PhoneRefusalCode } from './refusals.ts';

export interface PhoneAccepted {
  ok: true;
  /** E.164 digits without the plus: `447911123456`. */
  msisdn: string;
}

export interface PhoneRefused {
  ok: false;
  code: PhoneRefusalCode;
  reason: string;
}

export type PhoneVerdict = PhoneAccepted | PhoneRefused;

const REFUSED = Object.fromEntries(
  Object.entries(PHONE_REFUSALS).map(([code, reason]) => [code, Object.freeze({ ok: false, code, reason })]),
) as Readonly<Record<PhoneRefusalCode, PhoneRefused>>;

/**
 * One value of a phone column as E.164, or why it is none. Fixed lines are kept: nobody can know which take texts.
 * The judge is libphonenumber-js with `max` metadata; its fast path only ever says yes. Beyond the library we take `00`
 * in front whatever the default country, and undo what spreadsheets add (clean.ts).
 * @param defaultCountry ISO 3166 alpha-2, for numbers without a country code
 */
export function normaliseMsisdn(raw: string, defaultCountry?: string): PhoneVerdict {
  if (isPlain(raw)) {
    const msisdn = fastMsisdn(raw, defaultCountry);
    if (msisdn !== undefined) return { ok: true, msisdn };
  }
  return normaliseSlowly(raw, defaultCountry);
}

/** A cell longer than this is no number, whatever it holds. */
const MAX_RAW_CHARACTERS = 250;

function normaliseSlowly(raw: string, defaultCountry: string | undefined): PhoneVerdict {
  if (raw.length > MAX_RAW_CHARACTERS) return REFUSED.TOO_LONG;
  const country = defaultCountry?.toUpperCase();
  if (country !== undefined && !isKnownCountry(country)) return REFUSED.UNKNOWN_DEFAULT_COUNTRY;
  const text = undoSpreadsheet(raw);
  if (text === '') return REFUSED.EMPTY;
  const cleaned = clean(text);
  if (!cleaned.ok) {
    if (cleaned.problem === 'too-long') return REFUSED.TOO_LONG;
    if (isScientific(text)) return REFUSED.SCIENTIFIC_NOTATION;
    // What the library reads in spite of other characters has an extension.
    return typeof judge(text, country) === 'object' ? REFUSED.HAS_EXTENSION : REFUSED.NOT_A_NUMBER;
  }
  return judgeDigits(cleaned.digits, country);
}

function judgeDigits(digits: string, country: string | undefined): PhoneVerdict {
  if (digits === '' || digits === '+') return REFUSED.NOT_A_NUMBER;
  const fast = fastMsisdn(digits, country);
  if (fast !== undefined) return { ok: true, msisdn: fast };
  const slow = judge(digits, country);
  if (typeof slow === 'object') return slow;
  // 00 is the international prefix of most of the world, and what people write where it is another.
  if (digits.startsWith('00') && digits.charCodeAt(2) !== 0x30)
    return judgeDigits(`+${digits.slice(2)}`, country);
  if (isOldMexican(digits)) return REFUSED.OLD_MEXICAN_PREFIX;
  if (slow === 'INVALID_COUNTRY' && country === undefined && digits[0] !== '+')
    return REFUSED.NO_DEFAULT_COUNTRY;
  return REFUSED[slow];
}

const isOldMexican = (digits: string): boolean =>
  /^\+?521\d{10}$/.test(digits) && fastMsisdn(`+52${digits.slice(-10)}`, undefined) !== undefined;

type LibraryRefusal = Extract<
  PhoneRefusalCode,
  'NOT_A_NUMBER' | 'TOO_SHORT' | 'TOO_LONG' | 'INVALID_COUNTRY' | 'NOT_VALID_FOR_COUNTRY'
>;

/** The library's own verdict. */
function judge(text: string, country: string | undefined): PhoneAccepted | LibraryRefusal {
  const options = {
    extract: false,
    ...(country === undefined ? {} : { defaultCountry: country as CountryCode }),
  };
  try {
    const number = parsePhoneNumberWithError(text, options);
    if (number.isValid()) return { ok: true, msisdn: number.number.slice(1) };
    return lengthProblem(number.countryCallingCode, number.nationalNumber) ?? 'NOT_VALID_FOR_COUNTRY';
  } catch (error) {
    if (error instanceof ParseError) return error.message as LibraryRefusal;
    throw error;
  }
}
