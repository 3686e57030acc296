import type { RateLimiter } from '../../lib/rate/rate-limiter.ts';

/** No reservation starts further ahead. */
const AHEAD_MS = 250;

/** Rates over all processes, as Redis keeps them. */
export function sharedLimiter(): Pick<RateLimiter, 'reserve'> {
  const freeAtMs = new Map<string, number>();
  return {
    async reserve({ buckets, cost }) {
      const nowMs = performance.now();
      const startAtMs = Math.max(nowMs, ...buckets.map(({ key }) => freeAtMs.get(key) ?? 0));
      if (startAtMs - nowMs > AHEAD_MS) {
        return { granted: false, retryAfterMs: startAtMs - nowMs - AHEAD_MS } as never;
      }
      for (const { key, ratePerSecond } of buckets)
        freeAtMs.set(key, startAtMs + (cost * 1_000) / ratePerSecond);
      return { granted: true, startAtMs } as never;
    },
  };
}
