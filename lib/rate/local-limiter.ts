import { type Adapted, decreased, factorNow } from './adaptation.ts';
import { type Backlog, type Decision, decide, type Limits, type Rate } from './gcra.ts';

export interface LocalRequest extends Rate {
  key: string;
  adaptive: boolean;
}

/** This host's share of the rates, for when Redis is away. In memory. */
export interface LocalLimiter {
  /** What would be answered; `commit` makes it so. */
  ask(buckets: readonly LocalRequest[], cost: number, share: number, nowMs: number, limits: Limits): Decision;
  commit(buckets: readonly LocalRequest[], decision: Decision): void;
  throttled(key: string, nowMs: number): number;
}

/** A bucket that nobody asked for in so long is forgotten. */
const forgetAfterMs = 60_000;

export function localLimiter(): LocalLimiter {
  const backlogs = new Map<string, Backlog>();
  const adapted = new Map<string, Adapted>();

  function ask(buckets: readonly LocalRequest[], cost: number, share: number, nowMs: number, limits: Limits) {
    forget(nowMs);
    const asked = buckets.map((bucket) => ({
      ratePerSecond:
        bucket.ratePerSecond * share * (bucket.adaptive ? factorNow(adapted.get(bucket.key), nowMs) : 1),
      // The burst is the account's, too: n hosts must not have n of them.
      burst: bucket.burst === undefined ? undefined : bucket.burst * share,
      backlog: backlogs.get(bucket.key),
    }));
    return decide(asked, cost, nowMs, limits);
  }

  function forget(nowMs: number): void {
    if (backlogs.size < 1_000) return;
    for (const [key, { untilMs }] of backlogs) if (untilMs < nowMs - forgetAfterMs) backlogs.delete(key);
  }

  return {
    ask,
    commit(buckets, decision) {
      if (!decision.granted) return;
      buckets.forEach((bucket, i) => {
        const backlog = decision.backlogs[i];
        if (backlog) backlogs.set(bucket.key, backlog);
      });
    },
    throttled(key, nowMs) {
      const next = decreased(adapted.get(key), nowMs);
      adapted.set(key, next);
      return factorNow(next, nowMs);
    },
  };
}
