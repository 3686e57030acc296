/**
 * Reads what people and spreadsheets write into a phone column down to digits with at most a leading plus. What may
 * stand between digits is libphonenumber's list; beyond it we take a plus in parentheses, the marks that copying from
 * a contact list leaves (direction marks, a byte order mark), and Excel's quote and `="…"`.
 */

const DROP = 1;
const PLUS = 2;
const DIGIT = 0x10;

const KIND_OF_UNIT = buildKinds();

function buildKinds(): Uint8Array {
  const kinds = new Uint8Array(0x10000);
  const between =
    '-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\uff0d/\uff0f.\uff0e \u00a0\u00ad\u200b\u2060\u3000' +
    '()\uff08\uff09\uff3b\uff3d[]~\u2053\u223c\uff5e';
  const marks =
    '\t\r\n\ufeff\u200c\u200d\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u202f\u2009';
  for (const character of between + marks) kinds[character.charCodeAt(0)] = DROP;
  for (const character of '+\uff0b') kinds[character.charCodeAt(0)] = PLUS;
  for (const zero of [0x30, 0xff10, 0x0660, 0x06f0]) {
    for (let digit = 0; digit < 10; digit++) kinds[zero + digit] = DIGIT + digit;
  }
  return kinds;
}

/** More digits than any number, with a country code and prefixes in front, can have. */
const MAX_DIGITS = 30;

const ONE = '1'.charCodeAt(0) - 1;
const PLUS_UNIT = 0x2b;

export type Cleaned = { ok: true; digits: string } | { ok: false; problem: 'characters' | 'too-long' };

/** `+` and digits, or digits, as they are: the form of most rows of most files. */
export function isPlain(raw: string): boolean {
  for (let i = raw.charCodeAt(0) === PLUS_UNIT ? 1 : 0; i < raw.length; i++) {
    const unit = raw.charCodeAt(i);
    if (unit < ONE || unit > ONE + 9) return false;
  }
  return raw.length > 5;
}

/** @returns digits with at most a leading `+`; empty when there was nothing but separators */
export function clean(raw: string): Cleaned {
  let digits = '';
  for (let i = 0; i < raw.length; i++) {
    const kind = KIND_OF_UNIT[raw.charCodeAt(i)]!;
    if (kind >= DIGIT) digits += kind - DIGIT;
    else if (kind === PLUS && digits === '') digits = '+';
    else if (kind !== DROP) return { ok: false, problem: 'characters' };
    if (digits.length > MAX_DIGITS) return { ok: false, problem: 'too-long' };
  }
  return { ok: true, digits };
}

// Behind at least six digits and no other separator: in "020.7946.0" the dot is one.
const TRAILING_ZERO_DECIMALS = /^(\+?\d{6,})[.,]0+$/;
const EXCEL_TEXT = /^(?:'|="?)(.*?)"?$/;

/** Undoes what a spreadsheet adds to a number that it took for one; never what it took away. */
export function undoSpreadsheet(raw: string): string {
  let text = raw.trim();
  const first = text.charCodeAt(0);
  if (first === 0x27 || first === 0x3d) text = EXCEL_TEXT.exec(text)?.[1] ?? text;
  const last = text.charCodeAt(text.length - 1);
  return last === 0x30 ? text.replace(TRAILING_ZERO_DECIMALS, '$1') : text;
}

const SCIENTIFIC = /^[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+$/;

/** 4.47911E+11: the digits behind the sixth are gone, and nobody can bring them back. */
export const isScientific = (text: string): boolean => SCIENTIFIC.test(text);
