import { hash32 } from '../hash/hash32.ts';

/**
 * Places a recipient: the same for all tables, for ever, so that the same number meets itself in one bucket of
 * whatever table. Numbers are hashed as normaliseMsisdn gives them (digits, no plus); a raw value that is no number
 * is hashed as it stands.
 * @param from of the number within a longer text
 * @returns an unsigned 32-bit integer
 */
export const hashMsisdn = (msisdn: string, from?: number, end?: number): number => hash32(msisdn, from, end);

/**
 * The bucket is the hash's upper bits, so that a table placed anew with one bit more splits each bucket in two.
 * @param bucketBits 0 (one bucket) to 32
 */
export const bucketOf = (hash: number, bucketBits: number): number =>
  bucketBits === 0 ? 0 : hash >>> (32 - bucketBits);
