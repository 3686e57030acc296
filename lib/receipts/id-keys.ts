import { hash32 } from '../hash/hash32.ts';
import { canonicalMessageId, messageIdVariants } from '../smpp/message-id.ts';

/** Digits of a number that a double holds exactly, read as hexadecimal too. */
const SHORT_DIGITS = 13;
const SHORT_NUMBER = /^[0-9a-f]{1,13}$/;
const DECIMAL = /^[0-9]+$/;
/** Longest that may stand for a number at all (lib/smpp/message-id.ts). */
const LONGEST_NUMBER = 40;

const ZERO = 0x30;
const NINE = 0x39;
const LOWER_A = 0x61;
const LOWER_Z = 0x7a;
const LOWER_F = 0x66;

/**
 * The key under which message ids are compared: 32 bits instead of a string a recipient. A canonical id is its own key's
 * text, without the copies that making it canonical costs.
 */
export const idKey = (messageId: string): number =>
  hash32(isCanonical(messageId) ? messageId : canonicalMessageId(messageId));

/** Lower-case letters and digits without a zero in front: what most carriers write. */
function isCanonical(messageId: string): boolean {
  if (messageId.length === 0 || messageId.charCodeAt(0) === ZERO) return false;
  for (let i = 0; i < messageId.length; i++) {
    const code = messageId.charCodeAt(i);
    if (!((code >= ZERO && code <= NINE) || (code >= LOWER_A && code <= LOWER_Z))) return false;
  }
  return true;
}

/** Whether it may be a number of so many digits that its other forms take BigInt: then they are made only when needed. */
export const isLongNumber = (messageId: string): boolean =>
  messageId.length > SHORT_DIGITS && /^\s*[0-9a-f]+\s*$/i.test(messageId);

/** Keys of a short number's other forms; 0 = none. */
export interface OtherKeys {
  fromDecimal: number;
  fromHexadecimal: number;
}

const NONE: OtherKeys = { fromDecimal: 0, fromHexadecimal: 0 };

/**
 * Keys of the other forms in which the same id may stand in the answers: decimal written as hexadecimal and the reverse. The
 * same forms as messageIdVariants, without BigInt; of a long number none.
 */
export function shortNumberKeys(messageId: string): OtherKeys {
  if (messageId.length > LONGEST_NUMBER || !mayBeHexadecimal(messageId)) return NONE;
  const canonical = isCanonical(messageId) ? messageId : canonicalMessageId(messageId);
  if (!SHORT_NUMBER.test(canonical)) return NONE;
  return {
    fromDecimal: DECIMAL.test(canonical) ? hash32(Number(canonical).toString(16)) : 0,
    fromHexadecimal: hash32(Number.parseInt(canonical, 16).toString(10)),
  };
}

/** Leaves most ids that are no numbers alone after a letter or two; what else is none, the pattern says. */
function mayBeHexadecimal(messageId: string): boolean {
  for (let i = 0; i < messageId.length; i++) {
    const code = messageId.charCodeAt(i);
    if (code > LOWER_F && code <= LOWER_Z) return false;
  }
  return true;
}

/** Keys of all other forms of an id. */
export function otherIdKeys(messageId: string): number[] {
  const keys = new Set(messageIdVariants(messageId).map(idKey));
  keys.delete(idKey(messageId));
  return [...keys];
}

/** Exact, for where a key alone must not decide. */
export function sameMessageId(stored: string, received: string): boolean {
  const canonical = canonicalMessageId(stored);
  return messageIdVariants(received).some((variant) => canonicalMessageId(variant) === canonical);
}
