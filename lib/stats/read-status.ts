import type { Logger } from 'pino';
import { errorBody, RefusedError } from '../../contracts/errors.ts';
import type { BatchStatus } from '../../contracts/stats-api.ts';
import type { RedisView } from '../redis/connect.ts';
import type { BatchDocument } from '../store/batch-document.ts';
import type { Store } from '../store/collections.ts';
import { factsFromRedis } from './facts-from-redis.ts';
import { endOf, factsFromStore, progressOf } from './facts-from-store.ts';
import { type StatusFacts, statusOf } from './status.ts';

export interface StatusDeps {
  /** Absent where there is no Redis at all: then every status comes from MongoDB. */
  redis?: RedisView | undefined;
  store: Pick<Store, 'db' | 'batches' | 'tasks'>;
  log?: Logger | undefined;
  now?: (() => number) | undefined;
}

/**
 * State, counts and progress of a batch: from Redis, and from MongoDB where Redis is away or does not know the batch. The
 * counts sum to the total either way.
 * @throws RefusedError not-found
 */
export async function readStatus(deps: StatusDeps, batchId: string): Promise<BatchStatus> {
  const nowMs = (deps.now ?? Date.now)();
  const cached = await fromRedis(deps, batchId);
  if (cached) return { ...statusOf(cached, nowMs), source: 'redis' };
  const batch = await deps.store.batches.findOne({ _id: batchId });
  if (!batch || batch.deletedAt !== undefined) {
    const code = batch ? 'deleted' : 'not-found';
    throw new RefusedError(errorBody(code, `There is no batch ${batchId}.`));
  }
  return { ...statusOf(await factsFromStore(deps.store, batch), nowMs), source: 'mongodb' };
}

export type BatchFigures = Pick<BatchStatus, 'total' | 'counts' | 'receipts' | 'segments' | 'resent'>;

/** What status says of a batch whose document is at hand: Redis adds the tasks that are out, else MongoDB does. */
export async function readFigures(deps: StatusDeps, batch: BatchDocument): Promise<BatchFigures> {
  return (
    (await cachedFigures(deps, batch)) ??
    figuresOf(await factsFromStore(deps.store, batch), (deps.now ?? Date.now)())
  );
}

/** The same where Redis has it; undefined elsewhere. Never asks MongoDB. */
export async function cachedFigures(
  deps: StatusDeps,
  batch: BatchDocument,
): Promise<BatchFigures | undefined> {
  const cached = await fromRedis(deps, batch._id);
  if (!cached || cached.progress.incarnation !== batch.incarnation) return undefined;
  // Redis hears of a turn a little later than the document has it; or it has heard of one since the document was read.
  const progress = cached.progress.version > batch.version ? cached.progress : progressOf(batch);
  return figuresOf({ ...cached, progress, ended: cached.ended ?? endOf(batch) }, (deps.now ?? Date.now)());
}

function figuresOf(facts: StatusFacts, nowMs: number): BatchFigures {
  const { total, counts, receipts, segments, resent } = statusOf(facts, nowMs);
  return { total, counts, segments, ...(resent && { resent }), ...(receipts && { receipts }) };
}

async function fromRedis({ redis, log }: StatusDeps, batchId: string) {
  if (!redis?.isReady()) return undefined;
  try {
    return await factsFromRedis(redis.redis, batchId);
  } catch (err) {
    log?.debug({ err, batchId }, 'status comes from MongoDB: Redis does not answer');
    return undefined;
  }
}
