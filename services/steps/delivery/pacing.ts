import type { RateBucket, RateLimiter } from '../../../lib/rate/rate-limiter.ts';
import type { ProviderAccount } from './providers/provider.ts';

export interface Pace {
  /** performance.now(). */
  startAtMs: number;
  /** 0 = as fast as the lines take them. */
  msPerSegment: number;
}

export type Reserved = { granted: true; pace: Pace } | { granted: false; retryAfterMs: number };

export interface Pacing {
  /** The batch's own ceiling, segments a second: comes with each intent. */
  setBatchRate(perSecond: number | null): void;
  /** Segments a second at most; null = unlimited. */
  perSecond(): number | null;
  /** One call a window. Without any limit there is nothing to count, and Redis is not asked. */
  reserve(segments: number): Promise<Reserved>;
}

export const accountKey = (provider: string): string => `account:${provider}`;

/** Rates of one task: its account's, its batch's, counted with all other processes (design: "Rates"). */
export function pacing(options: {
  limiter: Pick<RateLimiter, 'reserve'>;
  account: ProviderAccount;
  batchKey: string;
  sender: { key: string; ratePerSecond: number } | undefined;
  batchRate: number | null;
}): Pacing {
  const { limiter, account, batchKey } = options;
  let batchRate = options.batchRate;
  const fixed: RateBucket[] = [];
  if (account.tps !== null) {
    fixed.push({ key: accountKey(account.name), ratePerSecond: account.tps, adaptive: true });
  }
  if (options.sender) fixed.push(options.sender);
  const bucketsNow = (): RateBucket[] =>
    batchRate === null ? fixed : [...fixed, { key: batchKey, ratePerSecond: batchRate }];
  const slowest = (buckets: readonly RateBucket[]) =>
    buckets.length === 0 ? null : Math.min(...buckets.map((each) => each.ratePerSecond));

  return {
    setBatchRate(perSecond) {
      batchRate = perSecond;
    },
    perSecond: () => slowest(bucketsNow()),
    async reserve(segments) {
      const buckets = bucketsNow();
      const perSecond = slowest(buckets);
      if (perSecond === null) return { granted: true, pace: { startAtMs: 0, msPerSegment: 0 } };
      const result = await limiter.reserve({ buckets, cost: segments });
      if (!result.granted) return { granted: false, retryAfterMs: result.retryAfterMs };
      return { granted: true, pace: { startAtMs: result.startAtMs, msPerSegment: 1_000 / perSecond } };
    },
  };
}
