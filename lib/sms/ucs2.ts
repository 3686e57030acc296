/** UTF-16BE without a byte order mark: what data_coding 8 means in practice, surrogate pairs included. */

/**
 * Writes `text[from..to)`, two octets a UTF-16 code unit.
 * @returns octets written
 */
export function encodeUcs2Into(
  text: string,
  buffer: Uint8Array,
  offset: number,
  from = 0,
  to = text.length,
): number {
  let at = offset;
  for (let i = from; i < to; i++) {
    const unit = text.charCodeAt(i);
    buffer[at++] = unit >>> 8;
    buffer[at++] = unit & 0xff;
  }
  return at - offset;
}

/** A last odd octet is dropped: it is half a character. */
export function decodeUcs2(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i + 1 < bytes.length; i += 2) {
    text += String.fromCharCode((bytes[i]! << 8) | bytes[i + 1]!);
  }
  return text;
}

export const isHighSurrogate = (unit: number): boolean => (unit & 0xfc00) === 0xd800;
export const isLowSurrogate = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;
