import { hashMsisdn } from '../phone/bucket.ts';
import type { PhoneRefusalCode } from '../phone/refusals.ts';

/** What stands in a chunk's phone column for a number that is none. */
export const refusedPhone = (code: PhoneRefusalCode, raw: string): string => `!${code} ${raw}`;

/** Where a stored value was placed: a number that is none by what was written. */
export const hashStoredPhone = (stored: string): number =>
  hashMsisdn(stored.startsWith('!') ? stored.slice(stored.indexOf(' ') + 1) : stored);
