/** User data headers of long messages (3GPP 23.040 §9.2.3.24.1 and .8). */

/** Width of the reference. The 16-bit header is an octet longer and can cost a part: 8 bit is the default. */
export type ConcatReference = 'udh8' | 'udh16';

const CONCAT_8 = 0x00;
const CONCAT_16 = 0x08;

/**
 * Writes a concatenation header.
 * @param sequence from 1
 * @returns octets written: 6 or 7
 */
export function writeConcatHeader(
  kind: ConcatReference,
  reference: number,
  total: number,
  sequence: number,
  buffer: Uint8Array,
  offset: number,
): number {
  let at = offset;
  if (kind === 'udh8') {
    buffer[at++] = 5;
    buffer[at++] = CONCAT_8;
    buffer[at++] = 3;
  } else {
    buffer[at++] = 6;
    buffer[at++] = CONCAT_16;
    buffer[at++] = 4;
    buffer[at++] = (reference >>> 8) & 0xff;
  }
  buffer[at++] = reference & 0xff;
  buffer[at++] = total;
  buffer[at++] = sequence;
  return at - offset;
}

export interface Concatenation {
  kind: ConcatReference;
  reference: number;
  total: number;
  sequence: number;
}

export interface UserDataHeader {
  /** Octets of the header with its length octet: the text begins here. */
  octets: number;
  concatenation?: Concatenation;
}

/**
 * Reads the header at the start of a short_message whose esm_class has bit 0x40. Other elements (ports, national
 * tables) are passed over. A concatenation with a total of 0, or a sequence of 0 or above the total, is ignored, as
 * 3GPP 23.040 asks.
 * @returns undefined when the octets are no header
 */
export function parseUserDataHeader(bytes: Uint8Array): UserDataHeader | undefined {
  if (bytes.length === 0) return undefined;
  const octets = bytes[0]! + 1;
  if (octets > bytes.length) return undefined;
  let concatenation: Concatenation | undefined;
  let at = 1;
  while (at < octets) {
    if (at + 1 >= octets) return undefined;
    const element = bytes[at]!;
    const length = bytes[at + 1]!;
    at += 2;
    if (at + length > octets) return undefined;
    const found = concatenationOf(element, bytes.subarray(at, at + length));
    if (found) concatenation = found;
    at += length;
  }
  return concatenation ? { octets, concatenation } : { octets };
}

function concatenationOf(element: number, data: Uint8Array): Concatenation | undefined {
  let kind: ConcatReference;
  if (element === CONCAT_8 && data.length === 3) kind = 'udh8';
  else if (element === CONCAT_16 && data.length === 4) kind = 'udh16';
  else return undefined;
  const reference = kind === 'udh8' ? data[0]! : (data[0]! << 8) | data[1]!;
  const total = data[data.length - 2]!;
  const sequence = data[data.length - 1]!;
  if (total === 0 || sequence === 0 || sequence > total) return undefined;
  return { kind, reference, total, sequence };
}
