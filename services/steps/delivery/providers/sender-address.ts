import type { Sender } from './provider.ts';

/** TON and NPI for numeric senders where the carrier wants its own. */
export interface SenderRules {
  sourceTon?: number | undefined;
  sourceNpi?: number | undefined;
}

/** Shorter numbers are short codes, not international ones. */
const SHORTEST_INTERNATIONAL = 9;
const MAX_ALPHANUMERIC = 11;

/** The source address of a batch. Throws RangeError, in words for the user, for one that no carrier takes. */
export function senderAddress(
  sender: string | undefined,
  extCode: string | undefined,
  { sourceTon, sourceNpi }: SenderRules,
): Sender {
  const whole = `${sender ?? ''}${extCode ?? ''}`;
  if (whole === '') return Object.freeze({ ton: 0, npi: 0, addr: '' });
  if (/^\+?[0-9]+$/.test(whole)) {
    const addr = whole.replace('+', '');
    if (addr.length > 20)
      throw new RangeError(`sender and extCode have ${addr.length} digits; at most 20 are taken`);
    const international = whole.startsWith('+') || addr.length >= SHORTEST_INTERNATIONAL;
    return Object.freeze({
      ton: sourceTon ?? (international ? 1 : 3),
      npi: sourceNpi ?? (international ? 1 : 0),
      addr,
    });
  }
  // `@` is the octet 0 of GSM 03.38, which would end the field.
  if (!/^[\x20-\x3f\x41-\x7e]+$/.test(whole)) {
    throw new RangeError(
      `sender "${whole}" has characters other than letters, digits and simple punctuation`,
    );
  }
  if (whole.length > MAX_ALPHANUMERIC) {
    throw new RangeError(
      `sender "${whole}" has ${whole.length} characters; a name has at most ${MAX_ALPHANUMERIC}`,
    );
  }
  return Object.freeze({ ton: 5, npi: 0, addr: whole });
}
