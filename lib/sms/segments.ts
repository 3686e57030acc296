import type { Finding } from '../../contracts/errors.ts';
import { absentFromGsm7, isExtension, septets } from './gsm0338.ts';
import { isHighSurrogate, isLowSurrogate } from './ucs2.ts';
import type { ConcatReference } from './udh.ts';

export type TextEncoding = 'gsm7' | 'ucs2';

/** Units (septets or UTF-16 code units) that fit: alone in 140 octets, and beside a concatenation header. */
export const UNITS_PER_PART: Readonly<
  Record<TextEncoding, { single: number } & Record<ConcatReference, number>>
> = {
  gsm7: { single: 160, udh8: 153, udh16: 152 },
  ucs2: { single: 70, udh8: 67, udh16: 66 },
};

/** A concatenation header counts its parts in one octet. */
export const MAX_PARTS = 255;

export const DATA_CODING: Readonly<Record<TextEncoding, number>> = { gsm7: 0x00, ucs2: 0x08 };

export interface PlanOptions {
  /** `auto`: GSM 03.38 where every character is in it, else UCS-2. */
  encoding: 'auto' | TextEncoding;
  reference: ConcatReference;
  /** Most parts allowed; 255 at most and by default. A longer text is refused, never cut. */
  maxParts?: number;
}

export interface MessagePlan {
  ok: true;
  encoding: TextEncoding;
  /** SMPP data_coding: 0 or 8. */
  dataCoding: number;
  reference: ConcatReference;
  segments: number;
  /** Septets (gsm7) or UTF-16 code units (ucs2) of the whole text, without headers. */
  units: number;
  /** Indexes into the text where parts 2, 3, … begin: `segments - 1` entries. Empty: one part without header. */
  splitAt: readonly number[];
}

export interface PlanRefusal {
  ok: false;
  finding: Finding;
}

export interface Measure {
  readonly encoding: TextEncoding;
  readonly segments: number;
}

const NO_SPLITS: readonly number[] = Object.freeze([]);

/** Shared, frozen answers, so that measuring a million texts allocates nothing. */
const MEASURES: Record<TextEncoding, Measure[]> = { gsm7: [], ucs2: [] };

function measureOf(encoding: TextEncoding, segments: number): Measure {
  const known = MEASURES[encoding][segments];
  if (known) return known;
  const made: Measure = Object.freeze({ encoding, segments });
  // Beyond what a header can count nothing is kept: the text is refused anyway, and the list stays short.
  if (segments <= MAX_PARTS) MEASURES[encoding][segments] = made;
  return made;
}

/** Index at which the part that begins at `from` must end: no escape pair and no surrogate pair is split. */
function endOfPart(text: string, from: number, encoding: TextEncoding, limit: number, units: number): number {
  const end = from + limit;
  if (encoding === 'ucs2') {
    if (end >= text.length) return text.length;
    const splitsPair = isHighSurrogate(text.charCodeAt(end - 1)) && isLowSurrogate(text.charCodeAt(end));
    return splitsPair ? end - 1 : end;
  }
  // No escape pair in the whole text.
  if (units === text.length) return Math.min(end, text.length);
  let left = limit;
  let at = from;
  while (at < text.length) {
    left -= isExtension(text.charCodeAt(at)) ? 2 : 1;
    if (left < 0) break;
    at++;
  }
  return at;
}

function countParts(text: string, encoding: TextEncoding, units: number, reference: ConcatReference): number {
  const limits = UNITS_PER_PART[encoding];
  if (units <= limits.single) return 1;
  const limit = limits[reference];
  let parts = 0;
  for (let at = 0; at < text.length; parts++) at = endOfPart(text, at, encoding, limit, units);
  return parts;
}

/** Encoding and number of parts of a text under `auto`. No allocation; an empty text is one part. */
export function measure(text: string, reference: ConcatReference = 'udh8'): Measure {
  const gsm = septets(text);
  if (gsm >= 0) return measureOf('gsm7', countParts(text, 'gsm7', gsm, reference));
  return measureOf('ucs2', countParts(text, 'ucs2', text.length, reference));
}

function refuseCharacters(text: string): PlanRefusal {
  const absent = absentFromGsm7(text);
  const shown = absent.slice(0, 20).map(({ character, index }) => {
    const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
    return `${JSON.stringify(character)} (U+${code}) at ${index}`;
  });
  if (absent.length > shown.length) shown.push(`and ${absent.length - shown.length} more`);
  const expected = 'only characters of GSM 03.38, since encoding is gsm7; auto or ucs2 take every character';
  return { ok: false, finding: { field: 'content', value: shown.join(', '), expected } };
}

/**
 * How a text travels. Give it normalised (normaliseText) and with its signature: both change the count.
 * @returns the plan; or a finding, when gsm7 is asked for and a character is not in it (the finding names each and
 * its index), or when the text needs more parts than allowed
 */
export function planMessage(text: string, options: PlanOptions): MessagePlan | PlanRefusal {
  const { reference } = options;
  const gsm = options.encoding === 'ucs2' ? -1 : septets(text);
  if (gsm < 0 && options.encoding === 'gsm7') return refuseCharacters(text);
  const encoding: TextEncoding = gsm >= 0 ? 'gsm7' : 'ucs2';
  const units = gsm >= 0 ? gsm : text.length;
  const limits = UNITS_PER_PART[encoding];
  let splitAt = NO_SPLITS;
  if (units > limits.single) {
    const found: number[] = [];
    const limit = limits[reference];
    for (let at = endOfPart(text, 0, encoding, limit, units); at < text.length; ) {
      found.push(at);
      at = endOfPart(text, at, encoding, limit, units);
    }
    splitAt = found;
  }
  const segments = splitAt.length + 1;
  const maxParts = Math.min(options.maxParts ?? MAX_PARTS, MAX_PARTS);
  if (segments > maxParts) {
    const value = `${segments} parts (${encoding}, ${units} units)`;
    return { ok: false, finding: { field: 'content', value, expected: `at most ${maxParts} parts` } };
  }
  return { ok: true, encoding, dataCoding: DATA_CODING[encoding], reference, segments, units, splitAt };
}
