import { seededRandom } from '../../lib/random/seeded-random.ts';
import { FAULT_KINDS, type FaultKind } from './fault-kinds.ts';

/** One fault: what, when, and the numbers from which it takes its targets and times. */
export interface PlannedFault {
  atMs: number;
  kind: FaultKind;
  /** In [0, 1). */
  dice: readonly number[];
}

export type Deed = 'create' | 'pause' | 'abort' | 'rate' | 'raw' | 'retry' | 'clone';

/** One thing that users do. */
export interface PlannedDeed {
  atMs: number;
  deed: Deed;
  dice: readonly number[];
}

export interface Plan {
  faults: readonly PlannedFault[];
  deeds: readonly PlannedDeed[];
}

/** Users begin first, so that there is something to disturb. */
const FIRST_FAULT_MS = 4_000;
const FAULT_GAP_MS = { from: 2_000, to: 6_000 };
const DEED_GAP_MS = { from: 300, to: 1_300 };
const DEED_WEIGHTS: readonly { deed: Deed; weight: number }[] = [
  { deed: 'create', weight: 30 },
  { deed: 'raw', weight: 30 },
  { deed: 'pause', weight: 22 },
  { deed: 'rate', weight: 12 },
  { deed: 'abort', weight: 6 },
  { deed: 'retry', weight: 6 },
  { deed: 'clone', weight: 4 },
];
const DICE = 6;

/** The whole run, from its seed alone: the same seed makes the same plan. */
export function planOf(seed: number, seconds: number, kinds: readonly FaultKind[]): Plan {
  const endMs = seconds * 1_000;
  const random = seededRandom(seed);
  const faults: PlannedFault[] = [];
  const weights = kinds.map((kind) => ({ kind, weight: FAULT_KINDS[kind].weight }));
  for (let atMs = FIRST_FAULT_MS; atMs < endMs; atMs += between(FAULT_GAP_MS, random())) {
    faults.push({
      atMs: Math.round(atMs),
      kind: weighted(weights, random()).kind,
      dice: throwDice(random),
    });
  }
  // Of its own: the faults chosen do not change what users do.
  const users = seededRandom(seed ^ 0x5bd1e995);
  const deeds: PlannedDeed[] = [];
  for (let atMs = 0; atMs < endMs; atMs += between(DEED_GAP_MS, users())) {
    deeds.push({
      atMs: Math.round(atMs),
      deed: weighted(DEED_WEIGHTS, users()).deed,
      dice: throwDice(users),
    });
  }
  return { faults, deeds };
}

const throwDice = (random: () => number): number[] => Array.from({ length: DICE }, random);

export const between = ({ from, to }: { from: number; to: number }, share: number): number =>
  from + (to - from) * share;

/** One of several, by a number in [0, 1). */
export const oneOf = <T>(items: readonly T[], share: number): T | undefined =>
  items[Math.floor(share * items.length)];

/** One of several, by their weights and a number in [0, 1). */
export function weighted<T extends { weight: number }>(items: readonly T[], share: number): T {
  let left = share * items.reduce((sum, { weight }) => sum + weight, 0);
  for (const item of items) {
    left -= item.weight;
    if (left < 0) return item;
  }
  return items.at(-1)!;
}
