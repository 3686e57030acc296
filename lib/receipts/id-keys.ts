import { hash32, hash32Lower } from '../hash/hash32.ts';
import { canonicalMessageId, messageIdVariants } from '../smpp/message-id.ts';

/** Digits of a number that a double holds exactly, read as hexadecimal too. */
const SHORT_DIGITS = 13;
const SHORT_NUMBER = /^[0-9a-f]{1,13}$/;
const DECIMAL = /^[0-9]+$/;
/** Longest that may stand for a number at all (lib/smpp/message-id.ts). */
const LONGEST_NUMBER = 40;

const ZERO = 0x30;
const LOWER_Z = 0x7a;
const LOWER_F = 0x66;

/**
 * The key under which message ids are compared: 32 bits of the canonical form instead of a string a recipient. It is made
 * without a copy of the text, as long as that is visible ASCII.
 * @param from of the id within a longer text
 */
export function idKey(text: string, from = 0, end = text.length): number {
  let start = from;
  while (start < end - 1 && text.charCodeAt(start) === ZERO) start += 1;
  const key = start < end ? hash32Lower(text, start, end) : undefined;
  return key ?? hash32(canonicalMessageId(text.slice(from, end)));
}

/** Whether it may be a number of so many digits that its other forms take BigInt. */
const isLongNumber = (messageId: string): boolean =>
  messageId.length > SHORT_DIGITS && /^\s*[0-9a-f]+\s*$/i.test(messageId);

/**
 * Keys of the other forms in which the same id may stand in the answers: decimal written as hexadecimal and the reverse, as
 * messageIdVariants has them.
 */
export function otherIdKeys(messageId: string): readonly number[] {
  const others = isLongNumber(messageId) ? longNumberKeys(messageId) : shortNumberKeys(messageId);
  if (others.length === 0) return others;
  const own = idKey(messageId);
  return others.filter((key) => key !== own);
}

const longNumberKeys = (messageId: string): number[] => [
  ...new Set(messageIdVariants(messageId).map((variant) => idKey(variant))),
];

/** The same without BigInt. */
function shortNumberKeys(messageId: string): number[] {
  if (messageId.length > LONGEST_NUMBER || !mayBeHexadecimal(messageId)) return [];
  const canonical = canonicalMessageId(messageId);
  if (!SHORT_NUMBER.test(canonical)) return [];
  const fromHexadecimal = hash32(Number.parseInt(canonical, 16).toString(10));
  if (!DECIMAL.test(canonical)) return [fromHexadecimal];
  return [hash32(Number(canonical).toString(16)), fromHexadecimal];
}

/** Leaves most ids that are no numbers alone after a letter or two; what else is none, the pattern says. */
function mayBeHexadecimal(messageId: string): boolean {
  for (let i = 0; i < messageId.length; i++) {
    const code = messageId.charCodeAt(i);
    if (code > LOWER_F && code <= LOWER_Z) return false;
  }
  return true;
}

/** Exact, for where a key alone must not decide. */
export function sameMessageId(stored: string, received: string): boolean {
  const canonical = canonicalMessageId(stored);
  return messageIdVariants(received).some((variant) => canonicalMessageId(variant) === canonical);
}
