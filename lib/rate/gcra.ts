/**
 * The generic cell rate algorithm, as pure functions. The Lua script for Redis (reserve-script.ts) says the same; a test
 * holds the two together. Unlike a fixed window it never lets twice the rate through around a window's edge.
 */

export interface Rate {
  /** Units (segments) a second, > 0. */
  ratePerSecond: number;
  /** Units that may go at once after a pause. Never less than the cost that is asked for. Default: that cost. */
  burst?: number | undefined;
}

/** What is remembered of a bucket: when the units that were granted are through, at which rate. */
export interface Backlog {
  untilMs: number;
  ratePerSecond: number;
}

export interface Bucket extends Rate {
  backlog: Backlog | undefined;
}

export interface Limits {
  /** No reservation starts later than this from now. */
  maxAheadMs: number;
  /** No reservation leaves a bucket idle for longer than this because it waits for another bucket. */
  maxGapMs: number;
}

export type Decision =
  | { granted: true; startMs: number; limiting: number; backlogs: Backlog[] }
  | { granted: false; retryAfterMs: number; limiting: number };

/** Asks all buckets for `cost` units: all grant, from the latest of their starts on, or none is touched. */
export function decide(buckets: readonly Bucket[], cost: number, nowMs: number, limits: Limits): Decision {
  let startMs = nowMs;
  let earliestMs = Number.POSITIVE_INFINITY;
  let limiting = 0;
  const untils = buckets.map((bucket) => backlogUntil(bucket, nowMs));
  buckets.forEach((bucket, i) => {
    const credit = Math.max(bucket.burst ?? cost, cost) - cost;
    const at = Math.max(nowMs, (untils[i] ?? nowMs) - (credit * 1_000) / bucket.ratePerSecond);
    earliestMs = Math.min(earliestMs, at);
    if (at > startMs) {
      startMs = at;
      limiting = i;
    }
  });
  // A start far ahead in one bucket would leave a hole in the others that nobody could use.
  const ahead = startMs - nowMs - limits.maxAheadMs;
  const gap = startMs - earliestMs - limits.maxGapMs;
  const early = Math.max(ahead, gap);
  if (early > 0) return { granted: false, retryAfterMs: early, limiting };
  const backlogs = buckets.map((bucket, i) => ({
    untilMs: Math.max(untils[i] ?? nowMs, startMs) + (cost * 1_000) / bucket.ratePerSecond,
    ratePerSecond: bucket.ratePerSecond,
  }));
  return { granted: true, startMs, limiting, backlogs };
}

/** The units still to go, at the rate of now: a rate that was raised must not wait for a backlog at the old one. */
function backlogUntil({ backlog, ratePerSecond }: Bucket, nowMs: number): number {
  if (!backlog || backlog.untilMs <= nowMs) return backlog?.untilMs ?? nowMs;
  return nowMs + ((backlog.untilMs - nowMs) * backlog.ratePerSecond) / ratePerSecond;
}
