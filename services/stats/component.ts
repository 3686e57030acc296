import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { statsConsumerShape } from '../../contracts/streams.ts';
import { deadSubject, STATS_CONSUMER, STREAMS } from '../../contracts/subjects.ts';
import { loopPart } from '../../lib/lifecycle/loop.ts';
import { type Part, part } from '../../lib/lifecycle/part.ts';
import { isTransient } from '../../lib/mongo/errors.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import { deadLetter } from '../../lib/nats/dead-letter.ts';
import { fetchLoop } from '../../lib/nats/fetch-loop.ts';
import { serveApi } from '../../lib/nats/micro.ts';
import { publisher as publisherOf } from '../../lib/nats/publish.ts';
import { ensureConsumer } from '../../lib/nats/streams.ts';
import type { RedisView } from '../../lib/redis/connect.ts';
import { dropStats } from '../../lib/stats/hash.ts';
import type { Store } from '../../lib/store/collections.ts';
import { statsEndpoints } from './api.ts';
import { applyEvents } from './apply-events.ts';
import { statsMetrics } from './metrics.ts';
import { syncAll, syncOne } from './sync.ts';

export interface StatsDeps {
  nats: Nats;
  redis: RedisView;
  store: Store;
  registry: Registry;
  log: Logger;
  version: string;
}

const EVENTS_A_GROUP = 500;
/** Figures may be this much behind. */
const LINGER_MS = 50;
/** Stop waits for an idle pull so long. */
const PULL_MS = 2_000;
const REPAIRS_EVERY_MS = 200;

/**
 * Consumes SMS_EVENTS and mirrors counters into Redis, one hash a batch. What a flushed or restarted Redis has lost is read
 * from MongoDB: of a batch as soon as an event meets its empty hash, of all when Redis comes back. Serves `sms.api.stats.*`.
 */
export function startStats(deps: StatsDeps): Part {
  const { nats, redis, store, registry, log, version } = deps;
  return part('stats', async ({ run, defer, signal }) => {
    const { stream, ...consumer } = statsConsumerShape();
    await ensureConsumer(nats.jsm, stream, consumer);
    const publisher = publisherOf(nats);
    const metrics = statsMetrics(registry);

    const incomplete = new Set<string>();
    let all = false;
    const onReady = () => {
      all = true;
    };
    redis.redis.on('ready', onReady);
    defer(() => redis.redis.off('ready', onReady));
    await run(
      loopPart(
        'stats repairs',
        async () => {
          if (!redis.isReady()) return;
          if (all) {
            // Before, not after: a Redis that goes and comes back meanwhile is repaired once more.
            all = false;
            await syncAll({ redis, store }, signal).catch((error) => {
              all = true;
              throw error;
            });
          }
          for (const batchId of incomplete) {
            // A late event of a batch that is gone: nobody would ever remove it.
            if (!(await syncOne({ redis, store }, batchId))) await dropStats(redis.redis, batchId);
            incomplete.delete(batchId);
          }
        },
        { log, pauseMs: REPAIRS_EVERY_MS },
      ),
    );
    await run(
      fetchLoop({
        nats,
        stream,
        consumer: STATS_CONSUMER,
        log,
        maxMessages: EVENTS_A_GROUP,
        lingerMs: LINGER_MS,
        expiresMs: PULL_MS,
        handle: (messages) =>
          applyEvents(
            {
              redis,
              log,
              bury: (message, reason) =>
                deadLetter(publisher, message, {
                  stream: STREAMS.dead,
                  subject: deadSubject(STREAMS.events, message.subject),
                  reason,
                }),
              onFirst: (batchId) => incomplete.add(batchId),
              onTaken: ({ taken, refused }) => {
                metrics.updates.inc({ result: 'taken' }, taken);
                metrics.updates.inc({ result: 'refused' }, refused);
              },
            },
            messages,
          ),
        ensure: () => ensureConsumer(nats.jsm, stream, consumer),
      }),
    );
    await run(
      serveApi(nats.nc, {
        name: 'smsbatch-stats',
        version,
        description: 'Figures of batches and of the service',
        endpoints: statsEndpoints({ nats, redis, store, registry }),
        log,
        unavailable: isTransient,
      }),
    );
  });
}
