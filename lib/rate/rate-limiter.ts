import type { Logger } from 'pino';
import type { RedisView } from '../redis/connect.ts';
import { runScript } from '../redis/script.ts';
import type { Limits, Rate } from './gcra.ts';
import { type LocalLimiter, localLimiter } from './local-limiter.ts';
import { reserveScript, throttledScript } from './rate-scripts.ts';

export interface RateBucket extends Rate {
  /** Where it lies in Redis, e.g. `account:acme`. One limit, one key, on all hosts. */
  key: string;
  /** Follows `throttled(key)`: for the account, not for the ceilings of a batch. */
  adaptive?: boolean;
}

export interface ReserveRequest {
  /** All of them have to grant it. 1 to 8. */
  buckets: readonly RateBucket[];
  /** Units: segments, not messages. > 0. */
  cost: number;
  /** The start may lie so far ahead. Default 250. */
  maxAheadMs?: number;
}

export interface ReserveResult {
  granted: boolean;
  /** When to send, on the clock of performance.now(). Not before; only if granted. */
  startAtMs: number;
  /** When to ask again, from now; 0 if granted. */
  retryAfterMs: number;
  /** Key of the bucket that decided: the limiting factor. */
  limiting: string;
  /** `shared`: counted with all hosts. `local`: this host's share, since Redis is away. */
  mode: 'shared' | 'local';
}

export interface RateLimiter {
  /** One call a window. Never fails and never waits for long: without Redis it answers with this host's share. */
  reserve(request: ReserveRequest): Promise<ReserveResult>;
  /** The carrier said "throttled": less for this account for a while, on all hosts. Answers with the part left, 0 to 1. */
  throttled(key: string): Promise<number>;
  mode(): 'shared' | 'local';
}

export interface RateLimiterOptions {
  view: Pick<RedisView, 'redis' | 'isReady'>;
  /** How many hosts share the rates, 1 or more. Used while Redis is away. */
  liveHosts: () => number;
  log: Logger;
  /** The braces keep all keys in one slot of a Redis cluster: one script has to see them together. */
  keyPrefix?: string;
  now?: () => number;
}

/**
 * After Redis is back, a host keeps to its own share too, for this long: others may not have noticed yet, and still take
 * theirs beside it.
 */
const settleMs = 3_000;
/** After a failure Redis is asked again only so often: one that hangs costs each call its whole time-out. */
const askAgainAfterMs = 1_000;
const maxGapMs = 50;
const defaultAheadMs = 250;

export function rateLimiter(options: RateLimiterOptions): RateLimiter {
  const { view, liveHosts, log, keyPrefix = 'smsbatch:{rate}:', now = () => performance.now() } = options;
  const local: LocalLimiter = localLimiter();
  let mode: 'shared' | 'local' = 'shared';
  let sharedAgainAt = Number.NEGATIVE_INFINITY;
  let quietUntil = Number.NEGATIVE_INFINITY;
  let askAgainAt = Number.NEGATIVE_INFINITY;

  async function reserve(request: ReserveRequest): Promise<ReserveResult> {
    const limits = { maxAheadMs: request.maxAheadMs ?? defaultAheadMs, maxGapMs };
    if (!reachable()) return reserveLocally(request, limits);
    // While the others settle: no more than this host's share, so ask at home first.
    const mine =
      mode === 'local' || now() < sharedAgainAt + settleMs ? askLocally(request, limits) : undefined;
    if (mine && !mine.decision.granted) return answer(request, mine.decision, 'local');
    try {
      const shared = await reserveShared(request, limits);
      toShared();
      return mine && shared.granted ? chargeLocally(request, shared) : shared;
    } catch (err) {
      toLocal(err);
      return reserveLocally(request, limits);
    }
  }

  function reachable(): boolean {
    return view.isReady() && now() >= askAgainAt;
  }

  async function reserveShared({ buckets, cost }: ReserveRequest, limits: Limits): Promise<ReserveResult> {
    const keys = buckets.flatMap(({ key }) => [keyPrefix + key, `${keyPrefix}${key}:adapted`]);
    const args = buckets.flatMap(({ ratePerSecond, burst, adaptive }) => [
      ratePerSecond,
      burst ?? '',
      adaptive ? 1 : 0,
    ]);
    const head = [cost, limits.maxAheadMs * 1_000, limits.maxGapMs * 1_000];
    const reply = await runScript(view.redis, reserveScript, keys, [...head, ...args]);
    // Counted from when the answer is here, not from when it was given: late by the way back, never early.
    const waitMs = reply.waitUs / 1_000;
    return {
      granted: reply.granted,
      startAtMs: now() + waitMs,
      retryAfterMs: reply.granted ? 0 : waitMs,
      limiting: buckets[reply.limiting]?.key ?? '',
      mode: 'shared',
    };
  }

  function askLocally({ buckets, cost }: ReserveRequest, limits: Limits) {
    const asked = buckets.map((bucket) => ({ ...bucket, adaptive: bucket.adaptive ?? false }));
    const share = 1 / Math.max(1, liveHosts());
    return { buckets: asked, decision: local.ask(asked, cost, share, now(), limits) };
  }

  /** Whatever was granted meanwhile to others of this process: what was granted counts, and starts later if need be. */
  function chargeLocally(request: ReserveRequest, shared: ReserveResult): ReserveResult {
    const { buckets, decision } = askLocally(request, { maxAheadMs: Infinity, maxGapMs: Infinity });
    local.commit(buckets, decision);
    return decision.granted ? { ...shared, startAtMs: Math.max(shared.startAtMs, decision.startMs) } : shared;
  }

  function reserveLocally(request: ReserveRequest, limits: Limits): ReserveResult {
    toLocal();
    const quietMs = quietUntil - now();
    if (quietMs > 0) return answer(request, { granted: false, retryAfterMs: quietMs, limiting: 0 }, 'local');
    const { buckets, decision } = askLocally(request, limits);
    local.commit(buckets, decision);
    return answer(request, decision, 'local');
  }

  function answer(
    { buckets }: ReserveRequest,
    decision: ReturnType<LocalLimiter['ask']>,
    answeredBy: 'shared' | 'local',
  ): ReserveResult {
    return {
      granted: decision.granted,
      startAtMs: decision.granted ? decision.startMs : now() + decision.retryAfterMs,
      retryAfterMs: decision.granted ? 0 : decision.retryAfterMs,
      limiting: buckets[decision.limiting]?.key ?? '',
      mode: answeredBy,
    };
  }

  async function throttled(key: string): Promise<number> {
    // Remembered here too: Redis may go away while the carrier is still overloaded.
    const mine = local.throttled(key, now());
    if (!reachable()) return mine;
    try {
      return await runScript(view.redis, throttledScript, [`${keyPrefix}${key}:adapted`], []);
    } catch (err) {
      toLocal(err);
      return mine;
    }
  }

  function toLocal(err?: unknown): void {
    if (err !== undefined) askAgainAt = now() + askAgainAfterMs;
    if (mode === 'local') return;
    mode = 'local';
    // What the hosts have reserved ahead in Redis is still to be sent; only after it the shares add up to the rate.
    quietUntil = now() + defaultAheadMs;
    log.warn({ err, hosts: liveHosts() }, 'rates: Redis is away, this host keeps to its share');
  }

  function toShared(): void {
    if (mode === 'shared') return;
    mode = 'shared';
    sharedAgainAt = now();
    log.info('rates: counted with all hosts again');
  }

  return { reserve, throttled, mode: () => mode };
}
