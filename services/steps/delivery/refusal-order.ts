import type { Refusal, RefusalClass } from './providers/provider.ts';

/** Of the refused parts of one message the one further up decides what becomes of it. */
const ORDER: readonly RefusalClass[] = ['session', 'throttled', 'transient', 'inDoubt', 'batch', 'recipient'];

export function worse(known: Refusal | undefined, other: Refusal): Refusal {
  if (!known) return other;
  return ORDER.indexOf(other.class) > ORDER.indexOf(known.class) ? other : known;
}
