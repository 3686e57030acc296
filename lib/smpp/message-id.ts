/** No id of ours is longer; a conversion of more digits would only cost time. */
const maxConvertible = 40;

/** Whatever white space stands among them, so that doing it twice changes nothing. */
function stripZeros(id: string): string {
  const stripped = id.replace(/^[0\s]+/, '');
  return stripped === '' ? '0' : stripped;
}

/**
 * All forms in which the same message id may come back: raw first, then lower-cased, without leading zeros, and
 * read as hexadecimal or as decimal and written as the other. SMSCs answer `39f99dd5` and send the receipt for
 * `0972660181`. BigInt throughout: ids of 64 bits and more are common, and Number would round them.
 */
export function messageIdVariants(rawId: string): string[] {
  const raw = rawId.trim();
  if (raw === '') return [];
  const lower = raw.toLowerCase();
  const stripped = stripZeros(lower);
  const variants = new Set([rawId, raw, lower, stripped]);
  if (stripped.length <= maxConvertible) {
    if (/^[0-9]+$/.test(stripped)) {
      const hex = BigInt(stripped).toString(16);
      variants.add(hex);
    }
    if (/^[0-9a-f]+$/.test(stripped)) variants.add(BigInt(`0x${stripped}`).toString(10));
  }
  return [...variants];
}

/** The form under which an id is stored and first looked for: lower case, no leading zeros. */
export function canonicalMessageId(rawId: string): string {
  return stripZeros(rawId.trim().toLowerCase());
}
