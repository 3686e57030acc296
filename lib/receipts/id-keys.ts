import { hash32 } from '../hash/hash32.ts';
import { canonicalMessageId, messageIdVariants } from '../smpp/message-id.ts';

/** Digits that a double holds exactly, read as hexadecimal too. */
const SHORT_NUMBER = /^[0-9a-f]{1,13}$/;
const DECIMAL = /^[0-9]+$/;

/** The key under which message ids are compared: 32 bits instead of a string a recipient. */
export const idKey = (messageId: string): number => hash32(canonicalMessageId(messageId));

/**
 * Keys of the other forms in which the same id may stand in the answers: hexadecimal read as decimal and the reverse.
 * The same forms as messageIdVariants, without BigInt for short ids: with some carriers every receipt comes here.
 */
export function otherIdKeys(messageId: string): number[] {
  const canonical = canonicalMessageId(messageId);
  if (SHORT_NUMBER.test(canonical)) {
    const fromHexadecimal = hash32(Number.parseInt(canonical, 16).toString(10));
    return DECIMAL.test(canonical)
      ? [hash32(Number(canonical).toString(16)), fromHexadecimal]
      : [fromHexadecimal];
  }
  const keys = new Set(messageIdVariants(messageId).map(idKey));
  keys.delete(hash32(canonical));
  return [...keys];
}

/** Exact, for where a key alone must not decide. */
export function sameMessageId(stored: string, received: string): boolean {
  const canonical = canonicalMessageId(stored);
  return messageIdVariants(received).some((variant) => canonicalMessageId(variant) === canonical);
}
