import type { SyncAnswer } from '../../contracts/stats-api.ts';
import type { RedisView } from '../../lib/redis/connect.ts';
import { factsFromRedis } from '../../lib/stats/facts-from-redis.ts';
import { factsFromStore } from '../../lib/stats/facts-from-store.ts';
import { takeStats } from '../../lib/stats/hash.ts';
import { statusOf } from '../../lib/stats/status.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import type { Store } from '../../lib/store/collections.ts';

/** Ended batches are repaired as long as their figures stay in Redis. */
const ENDED_DAYS = 7;
const DAY_MS = 24 * 3_600_000;

export interface SyncDeps {
  redis: RedisView;
  store: Pick<Store, 'db' | 'batches' | 'tasks'>;
}

/**
 * Writes one batch's figures from MongoDB over those in Redis: the same version is replaced, a higher one stays, since Redis
 * may have heard of a change before this read.
 * @returns whether what status shows has changed
 */
export async function syncBatch({ redis, store }: SyncDeps, batch: BatchDocument): Promise<boolean> {
  const facts = await factsFromStore(store, batch);
  const before = await factsFromRedis(redis.redis, batch._id);
  for (const update of facts.updates) await takeStats(redis.redis, update, true);
  const after = await factsFromRedis(redis.redis, batch._id);
  return figures(before) !== figures(after);
}

/** What people see, without the clock. */
function figures(facts: Awaited<ReturnType<typeof factsFromRedis>>): string {
  if (!facts) return '';
  const { state, total, counts, receipts, segments, resent, tasks } = statusOf(facts, facts.asOfMs);
  return JSON.stringify({ state, total, counts, receipts, segments, resent, tasks });
}

export async function syncOne(deps: SyncDeps, batchId: string): Promise<SyncAnswer | undefined> {
  const batch = await deps.store.batches.findOne({ _id: batchId, deletedAt: { $exists: false } });
  if (!batch) return undefined;
  return { synced: 1, repaired: (await syncBatch(deps, batch)) ? 1 : 0 };
}

/** Every batch that has not ended, or ended lately. */
export async function syncAll(deps: SyncDeps, signal?: AbortSignal): Promise<SyncAnswer> {
  const since = Date.now() - ENDED_DAYS * DAY_MS;
  const found = deps.store.batches.find({
    deletedAt: { $exists: false },
    $or: [{ endedAt: { $exists: false } }, { endedAt: { $gte: since } }],
  });
  const answer: SyncAnswer = { synced: 0, repaired: 0 };
  for await (const batch of found) {
    if (signal?.aborted) break;
    answer.synced += 1;
    if (await syncBatch(deps, batch)) answer.repaired += 1;
  }
  return answer;
}
