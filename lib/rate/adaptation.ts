/**
 * How an account's rate gives way when the carrier says "throttled": a quarter less at once, at most twice a second (one
 * overload brings many such answers), then back by two hundredths a second. The Lua scripts embed these numbers.
 */
export const adaptation = {
  decreaseBy: 0.75,
  decreaseEveryMs: 500,
  /** Never below this part of the contract: a carrier that refuses everything must still be asked. */
  leastFactor: 0.05,
  holdMs: 1_000,
  recoverPerSecond: 0.02,
} as const;

export interface Adapted {
  factor: number;
  atMs: number;
}

/** The part of its rate that the account has now, 0 < f ≤ 1. */
export function factorNow(adapted: Adapted | undefined, nowMs: number): number {
  if (!adapted) return 1;
  const recoveringMs = Math.max(0, nowMs - adapted.atMs - adaptation.holdMs);
  return Math.min(1, adapted.factor + (recoveringMs / 1_000) * adaptation.recoverPerSecond);
}

export function decreased(adapted: Adapted | undefined, nowMs: number): Adapted {
  if (adapted && nowMs - adapted.atMs < adaptation.decreaseEveryMs) return adapted;
  const factor = Math.max(adaptation.leastFactor, factorNow(adapted, nowMs) * adaptation.decreaseBy);
  return { factor, atMs: nowMs };
}
