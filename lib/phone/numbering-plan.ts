import metadata from 'libphonenumber-js/max/metadata';

/**
 * libphonenumber's own metadata, compiled once. The library builds its regular expressions anew for every number,
 * which is most of the 7 µs that it takes.
 */
export interface NumberingPlan {
  callingCode: string;
  /** National (significant) number, any type. */
  general: RegExp;
  /** Bit n set: a national number of n digits exists. */
  lengths: number;
  /** International prefix, as 00 or 011. Sticky: set lastIndex to 0. */
  internationalPrefix: RegExp | undefined;
  /** National prefix, as 0. */
  nationalPrefix: RegExp | undefined;
  /** What a national prefix with groups turns into: `$1`, `9$1`. */
  prefixTransform: string | undefined;
  /** Tells the country apart from others that share its calling code. */
  leadingDigits: RegExp | undefined;
  /** Mobile first: most numbers of an SMS list are. */
  types: readonly NumberType[];
}

interface NumberType {
  lengths: number;
  pattern: RegExp;
}

/** The countries of a calling code in the library's order; the first one's plan reads the number. */
export interface CallingCode {
  code: string;
  main: NumberingPlan;
  /** Empty for a non-geographic code, as +800. */
  countries: readonly NumberingPlan[];
}

type RawPlan = readonly unknown[];
type RawType = readonly [pattern: string, lengths?: readonly number[]] | 0 | undefined;

// Places in the library's packed plan (its METADATA.md, version 4).
const CALLING_CODE = 0;
const INTERNATIONAL_PREFIX = 1;
const PATTERN = 2;
const LENGTHS = 3;
const NATIONAL_PREFIX = 5;
const PREFIX_FOR_PARSING = 7;
const PREFIX_TRANSFORM = 8;
const LEADING_DIGITS = 10;
const TYPES = 11;
const MOBILE = 1;

const entirely = (pattern: string) => new RegExp(`^(?:${pattern})$`);
const bitsOf = (lengths: readonly number[]) => lengths.reduce((bits, length) => bits | (1 << length), 0);
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

function compilePlan(raw: RawPlan): NumberingPlan {
  const general = entirely(raw[PATTERN] as string);
  const lengths = bitsOf(raw[LENGTHS] as readonly number[]);
  const prefix = textOf(raw[PREFIX_FOR_PARSING]) ?? textOf(raw[NATIONAL_PREFIX]);
  const leading = textOf(raw[LEADING_DIGITS]);
  const international = textOf(raw[INTERNATIONAL_PREFIX]);
  return {
    callingCode: raw[CALLING_CODE] as string,
    general,
    lengths,
    internationalPrefix: international === undefined ? undefined : new RegExp(international, 'y'),
    nationalPrefix: prefix === undefined ? undefined : new RegExp(`^(?:${prefix})`),
    prefixTransform: textOf(raw[PREFIX_TRANSFORM]),
    leadingDigits: leading === undefined ? undefined : new RegExp(`^(?:${leading})`),
    types: compileTypes(raw[TYPES] as readonly RawType[] | 0 | undefined, general, lengths),
  };
}

function compileTypes(
  raw: readonly RawType[] | 0 | undefined,
  general: RegExp,
  lengths: number,
): NumberType[] {
  // A country without types is judged by its general pattern alone.
  if (!raw || raw.length === 0) return [{ lengths: ~0, pattern: general }];
  const ordered = [raw[MOBILE], ...raw.filter((_, index) => index !== MOBILE)];
  return ordered.flatMap((type) =>
    type && type[0] !== ''
      ? [{ lengths: type[1] ? bitsOf(type[1]) : lengths, pattern: entirely(type[0]) }]
      : [],
  );
}

const RAW_COUNTRIES = metadata.countries as unknown as Readonly<Record<string, RawPlan>>;
const RAW_NON_GEOGRAPHIC = metadata.nonGeographic as unknown as Readonly<Record<string, RawPlan>>;
const RAW_CALLING_CODES = metadata.country_calling_codes as Readonly<Record<string, readonly string[]>>;

const plans = new Map<string, NumberingPlan>();
const callingCodes: (CallingCode | undefined)[] = [];

export const isKnownCountry = (country: string): boolean => Object.hasOwn(RAW_COUNTRIES, country);

/** @returns the plan of a country (ISO 3166 alpha-2, upper case), or undefined where there is none */
export function planOf(country: string): NumberingPlan | undefined {
  const known = plans.get(country);
  if (known || !isKnownCountry(country)) return known;
  const compiled = compilePlan(RAW_COUNTRIES[country]!);
  plans.set(country, compiled);
  return compiled;
}

/** Calling codes are prefix-free and never begin with 0, so their value as a number names them. */
function callingCode(value: number): CallingCode | undefined {
  const known = callingCodes[value];
  if (known) return known;
  const code = String(value);
  const names = Object.hasOwn(RAW_CALLING_CODES, code) ? RAW_CALLING_CODES[code] : undefined;
  const countries = (names ?? []).map((name) => planOf(name)!);
  const nonGeographic = Object.hasOwn(RAW_NON_GEOGRAPHIC, code) ? RAW_NON_GEOGRAPHIC[code] : undefined;
  const main = countries[0] ?? (nonGeographic && compilePlan(nonGeographic));
  if (!main) return undefined;
  const compiled: CallingCode = { code, main, countries };
  callingCodes[value] = compiled;
  return compiled;
}

const knownCodes = new Uint8Array(1000);
for (const code of [...Object.keys(RAW_CALLING_CODES), ...Object.keys(RAW_NON_GEOGRAPHIC)])
  knownCodes[Number(code)] = 1;

/**
 * The calling code with which the digits begin at `from`.
 * @returns undefined when they begin with none
 */
export function callingCodeAt(digits: string, from: number): CallingCode | undefined {
  let value = 0;
  for (let i = from; i < from + 3 && i < digits.length; i++) {
    value = value * 10 + digits.charCodeAt(i) - 0x30;
    if (value === 0) return undefined;
    if (knownCodes[value] === 1) return callingCode(value);
  }
  return undefined;
}

/** What a national number's length alone says against it, in any country of the calling code. */
export function lengthProblem(code: string, national: string): 'TOO_SHORT' | 'TOO_LONG' | undefined {
  const plans = callingCodeAt(code, 0);
  if (plans === undefined) return undefined;
  const lengths = plans.countries.reduce((bits, country) => bits | country.lengths, plans.main.lengths);
  const bit = 1 << national.length;
  if (bit > lengths) return 'TOO_LONG';
  return (lengths & (bit | (bit - 1))) === 0 ? 'TOO_SHORT' : undefined;
}
