/** How a line and an account behave when the carrier says "too fast"; pure, time comes in. */
export interface ThrottleControl {
  /** A part was refused as too fast. */
  throttled(nowMs: number): void;
  accepted(nowMs: number): void;
  /** Until when nothing may go out. */
  heldUntilMs(): number;
  /** Parts that may go out now at the adapted rate. */
  allowance(nowMs: number): number;
  spend(parts: number): void;
  /** When the next part may go out. */
  readyAtMs(nowMs: number): number;
  readonly adapting: boolean;
}

export interface ThrottleOptions {
  firstHoldMs?: number;
  maxHoldMs?: number;
  /** Lowers the rate here; false where a contract's rate is known, and lowered for all hosts together. */
  adapt?: boolean;
}

const MEASURE_MS = 1_000;
/** Below what was just accepted, then upwards by this much a second until the carrier objects again. */
const LOWER = 0.9;
const RAISE_A_SECOND = 1.1;
const SHORTEST_MEASURE_MS = 100;
/** So far above the rate at which it objected, the carrier has evidently changed its mind. */
const FORGET = 3;

export function throttleControl({
  firstHoldMs = 100,
  maxHoldMs = 3_000,
  adapt = true,
}: ThrottleOptions = {}): ThrottleControl {
  let heldUntil = 0;
  let holdMs = firstHoldMs;
  let rate = Number.POSITIVE_INFINITY;
  let loweredFrom = 0;
  let tokens = 0;
  let filledAt = 0;
  let measuredFrom = 0;
  let acceptedInWindow = 0;
  let lastRate = 0;

  function measure(nowMs: number): void {
    const elapsed = nowMs - measuredFrom;
    if (elapsed < MEASURE_MS) return;
    lastRate = measuredFrom === 0 ? 0 : (acceptedInWindow * 1000) / elapsed;
    measuredFrom = nowMs;
    acceptedInWindow = 0;
  }

  function fill(nowMs: number): void {
    const seconds = Math.max(0, nowMs - filledAt) / 1000;
    filledAt = nowMs;
    rate *= RAISE_A_SECOND ** seconds;
    if (rate > loweredFrom * FORGET) {
      rate = Number.POSITIVE_INFINITY;
      return;
    }
    // A fifth of a second may be made up for, not more: a burst is what the carrier objects to.
    tokens = Math.min(Math.max(1, rate / 5), tokens + rate * seconds);
  }

  return {
    get adapting() {
      return Number.isFinite(rate);
    },
    throttled(nowMs) {
      // One burst is answered many times over: it counts once.
      if (nowMs < heldUntil) return;
      measure(nowMs);
      const partial = (acceptedInWindow * 1000) / Math.max(SHORTEST_MEASURE_MS, nowMs - measuredFrom);
      const measured = Math.max(lastRate, partial, 1);
      // The holds of the last second are in what was measured: it must not be believed too much.
      if (adapt)
        rate = Math.max(
          1,
          Math.min(rate, Math.max(measured, rate === Number.POSITIVE_INFINITY ? 0 : rate * 0.8)) * LOWER,
        );
      loweredFrom = Math.max(measured, 1);
      tokens = 0;
      heldUntil = nowMs + holdMs;
      filledAt = heldUntil;
      holdMs = Math.min(maxHoldMs, holdMs * 2);
    },
    accepted(nowMs) {
      acceptedInWindow += 1;
      if (nowMs >= heldUntil) holdMs = firstHoldMs;
      measure(nowMs);
    },
    heldUntilMs: () => heldUntil,
    allowance(nowMs) {
      if (nowMs < heldUntil) return 0;
      if (!Number.isFinite(rate)) return Number.MAX_SAFE_INTEGER;
      fill(nowMs);
      return Number.isFinite(rate) ? Math.floor(tokens) : Number.MAX_SAFE_INTEGER;
    },
    spend(parts) {
      if (Number.isFinite(rate)) tokens -= parts;
    },
    readyAtMs(nowMs) {
      if (nowMs < heldUntil) return heldUntil;
      if (!Number.isFinite(rate) || tokens >= 1) return nowMs;
      return nowMs + ((1 - tokens) * 1000) / rate;
    },
  };
}
