import { errorBody, RefusedError } from '../../contracts/errors.ts';
import { InvalidateAnswer, ServiceMetrics, STATS_API, SyncAnswer } from '../../contracts/stats-api.ts';
import { type ApiEndpoint, endpoint } from '../../lib/nats/micro.ts';
import { dropStats } from '../../lib/stats/hash.ts';
import { type MetricsDeps, serviceMetrics } from './service-metrics.ts';
import { syncAll, syncOne } from './sync.ts';

/** `sms.api.stats.*`. */
export function statsEndpoints(deps: MetricsDeps): ApiEndpoint[] {
  const { redis, store } = deps;
  const whileThere = () => {
    if (redis.isReady()) return;
    throw new RefusedError(
      errorBody('unavailable', 'Redis does not answer; status comes from MongoDB meanwhile.'),
    );
  };
  return [
    endpoint({
      noun: 'stats',
      verb: 'sync',
      description: 'Repairs the figures in Redis from MongoDB',
      request: STATS_API.sync,
      response: SyncAnswer,
      handler: async ({ batchId, all }, { signal }) => {
        if ((batchId === undefined) === !all) {
          throw new RefusedError(
            errorBody('invalid-body', 'Say which batch, or all.', [
              { field: 'batchId', value: batchId, expected: 'a batch ID, or all: true in its place' },
            ]),
          );
        }
        whileThere();
        const answer =
          batchId === undefined ? await syncAll(deps, signal) : await syncOne({ redis, store }, batchId);
        if (!answer) throw new RefusedError(errorBody('not-found', `There is no batch ${batchId}.`));
        return answer;
      },
    }),
    endpoint({
      noun: 'stats',
      verb: 'invalidate',
      description: 'Drops the figures of a batch in Redis',
      request: STATS_API.invalidate,
      response: InvalidateAnswer,
      handler: async ({ batchId }) => {
        whileThere();
        return { removed: await dropStats(redis.redis, batchId) };
      },
    }),
    endpoint({
      noun: 'stats',
      verb: 'metrics',
      description: 'Health of the servers, batches by state, load of the streams, counters of this process',
      request: STATS_API.metrics,
      response: ServiceMetrics,
      handler: () => serviceMetrics(deps),
    }),
  ];
}
