const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * FNV-1a (32 bit) over the UTF-8 octets, then the finaliser of MurmurHash3 (fmix32): FNV alone mixes its upper bits
 * badly for short digit strings, and it is the upper bits that choose a bucket.
 *
 * Stored placements depend on it: it can never change. Test vectors are in test/lib/hash/hash32.test.ts.
 * @param from of what is hashed, in UTF-16 units; the whole text if left out
 * @returns an unsigned 32-bit integer
 */
export function hash32(text: string, from = 0, end = text.length): number {
  let hash = FNV_OFFSET;
  for (let i = from; i < end; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return hashOctets(Buffer.from(text.slice(from, end), 'utf8'));
    hash = Math.imul(hash ^ unit, FNV_PRIME);
  }
  return finalise(hash);
}

/**
 * hash32 of a text in lower case, without a copy of it.
 * @returns undefined where it is not of visible ASCII characters alone
 */
export function hash32Lower(text: string, from: number, end: number): number | undefined {
  let hash = FNV_OFFSET;
  for (let i = from; i < end; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x21 || unit > 0x7e) return undefined;
    hash = Math.imul(hash ^ (unit >= 0x41 && unit <= 0x5a ? unit | 0x20 : unit), FNV_PRIME);
  }
  return finalise(hash);
}

function hashOctets(octets: Uint8Array): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < octets.length; i++) hash = Math.imul(hash ^ octets[i]!, FNV_PRIME);
  return finalise(hash);
}

function finalise(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
