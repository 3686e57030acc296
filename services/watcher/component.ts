import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { type Part, part } from '../../lib/lifecycle/part.ts';
import { isTransient } from '../../lib/mongo/errors.ts';
import { ensureIndexes } from '../../lib/mongo/indexes.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import { serveApi } from '../../lib/nats/micro.ts';
import { publisher as publisherOf } from '../../lib/nats/publish.ts';
import type { Store } from '../../lib/store/collections.ts';
import { STORE_INDEXES } from '../../lib/store/indexes.ts';
import { deadEndpoints } from './dead/api.ts';
import { givenUp } from './dead/given-up.ts';
import { watcherMetrics } from './metrics.ts';
import { SWEEP_TIMES, type SweepTimes, sweeps } from './sweeps/sweeps.ts';

export interface WatcherDeps {
  nats: Nats;
  store: Store;
  registry: Registry;
  log: Logger;
  version: string;
  /** Tests have less patience. */
  times?: Partial<SweepTimes>;
}

/** Sweeps over batches; follows what the server gave up on; serves `sms.api.dead.*`. */
export function startWatcher(deps: WatcherDeps): Part {
  const { nats, store, registry, log, version } = deps;
  return part('watcher', async ({ run }) => {
    await ensureIndexes(store.db, STORE_INDEXES);
    const publisher = publisherOf(nats);
    const metrics = watcherMetrics(registry);
    const times = { ...SWEEP_TIMES, ...deps.times };
    await run(sweeps({ store, jsm: nats.jsm, publisher, metrics, log, times }));
    await run(
      givenUp({ nc: nats.nc, jsm: nats.jsm, publisher, metrics, log, everyMs: times.givenUpEveryMs }),
    );
    await run(
      serveApi(nats.nc, {
        name: 'smsbatch-watcher',
        version,
        description: 'Dead letters',
        endpoints: deadEndpoints({ nats, publisher, metrics, log }),
        log,
        unavailable: isTransient,
      }),
    );
  });
}
