/**
 * GSM 03.38 (3GPP 23.038), default alphabet and extension table, UNPACKED: one septet an octet, which is
 * what SMSCs take under data_coding 0. National tables are not used: they need the carrier's support.
 */

const DEFAULT_ALPHABET =
  '@£$¥èéùìòÇ\nØø\rÅå' +
  'Δ_ΦΓΛΩΠΨΣΘΞ\u001bÆæßÉ' +
  ' !"#¤%&\'()*+,-./0123456789:;<=>?' +
  '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§' +
  '¿abcdefghijklmnopqrstuvwxyzäöñüà';

const EXTENSION: Readonly<Record<string, number>> = {
  '\f': 0x0a,
  '^': 0x14,
  '{': 0x28,
  '}': 0x29,
  '\\': 0x2f,
  '[': 0x3c,
  '~': 0x3d,
  ']': 0x3e,
  '|': 0x40,
  '€': 0x65,
};

const ESCAPE = 0x1b;
const EXTENDED = 0x80;
const ABSENT = 0xff;

/**
 * By UTF-16 code unit: a septet (below 0x80), 0x80 + the code behind an escape, or 0xff: not in GSM 03.38.
 * 64 kB, of which a Latin text touches a few cache lines; an index past its end cannot happen.
 */
export const SEPTET_OF_UNIT: Uint8Array = buildSeptets();

function buildSeptets(): Uint8Array {
  const table = new Uint8Array(0x10000).fill(ABSENT);
  for (let code = 0; code < 128; code++) {
    // The escape itself is no character: in a text it would turn its neighbour into another one.
    if (code !== ESCAPE) table[DEFAULT_ALPHABET.charCodeAt(code)] = code;
  }
  for (const [character, code] of Object.entries(EXTENSION)) table[character.charCodeAt(0)] = EXTENDED | code;
  return table;
}

const UNIT_OF_EXTENSION = new Map(Object.entries(EXTENSION).map(([character, code]) => [code, character]));

// The ASCII characters of one septet, tested by V8 in machine code: most texts need no look at the table.
const BEYOND_PLAIN_ASCII = /[^\n\r -Z_a-z]/;

/** Septets that the text needs, an extension character counting two, or -1 when GSM 03.38 lacks a character. */
export function septets(text: string): number {
  if (!BEYOND_PLAIN_ASCII.test(text)) return text.length;
  let count = text.length;
  for (let i = 0; i < text.length; i++) {
    const septet = SEPTET_OF_UNIT[text.charCodeAt(i)]!;
    if (septet >= EXTENDED) {
      if (septet === ABSENT) return -1;
      count++;
    }
  }
  return count;
}

export const isGsm7 = (text: string): boolean => septets(text) >= 0;

/** True for the characters that take an escape and a second septet: they count two and must not be split. */
export const isExtension = (unit: number): boolean => {
  const septet = SEPTET_OF_UNIT[unit]!;
  return septet >= EXTENDED && septet !== ABSENT;
};

/** A character that GSM 03.38 lacks, and the index (UTF-16) where it first stands. */
export interface AbsentCharacter {
  character: string;
  index: number;
}

/** Each different character that GSM 03.38 lacks, with its first place; surrogate pairs are kept whole. */
export function absentFromGsm7(text: string): AbsentCharacter[] {
  const found = new Map<string, number>();
  for (let i = 0; i < text.length; i++) {
    if (SEPTET_OF_UNIT[text.charCodeAt(i)] !== ABSENT) continue;
    const character = String.fromCodePoint(text.codePointAt(i)!);
    if (!found.has(character)) found.set(character, i);
    i += character.length - 1;
  }
  return [...found].map(([character, index]) => ({ character, index }));
}

/**
 * Writes `text[from..to)` unpacked. The buffer must have two octets a character left.
 * @returns octets written, or -1 when a character is not in GSM 03.38 (the buffer is then half written)
 */
export function encodeGsm7Into(
  text: string,
  buffer: Uint8Array,
  offset: number,
  from = 0,
  to = text.length,
): number {
  let at = offset;
  for (let i = from; i < to; i++) {
    const septet = SEPTET_OF_UNIT[text.charCodeAt(i)]!;
    if (septet < EXTENDED) {
      buffer[at++] = septet;
    } else {
      if (septet === ABSENT) return -1;
      buffer[at++] = ESCAPE;
      buffer[at++] = septet & 0x7f;
    }
  }
  return at - offset;
}

/**
 * Reads unpacked septets. An escape before an unknown code shows that code's default character, as
 * 3GPP 23.038 §6.2.1.1 asks of a receiver; an escape at the end shows a space.
 */
export function decodeGsm7(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) {
    const code = bytes[i]! & 0x7f;
    if (code !== ESCAPE) {
      text += DEFAULT_ALPHABET[code];
    } else if (++i < bytes.length) {
      const escaped = bytes[i]! & 0x7f;
      text += UNIT_OF_EXTENSION.get(escaped) ?? (escaped === ESCAPE ? ' ' : DEFAULT_ALPHABET[escaped]);
    } else {
      text += ' ';
    }
  }
  return text;
}
