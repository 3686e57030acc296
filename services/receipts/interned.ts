const known = new Map<string, string>();
const MAX_KNOWN = 10_000;

/** The one copy of a short text that comes again and again: networks have few error codes, and chunks hold millions. */
export function interned(text: string): string {
  const same = known.get(text);
  if (same !== undefined) return same;
  if (known.size < MAX_KNOWN) known.set(text, text);
  return text;
}
