import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { type Part, part } from '../../lib/lifecycle/part.ts';
import { ensureIndexes } from '../../lib/mongo/indexes.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import { publisher as publisherOf } from '../../lib/nats/publish.ts';
import type { Store } from '../../lib/store/collections.ts';
import { STORE_INDEXES } from '../../lib/store/indexes.ts';
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

/** Sweeps over batches. */
export function startWatcher(deps: WatcherDeps): Part {
  const { nats, store, registry, log } = deps;
  return part('watcher', async ({ run }) => {
    await ensureIndexes(store.db, STORE_INDEXES);
    const publisher = publisherOf(nats);
    const metrics = watcherMetrics(registry);
    const times = { ...SWEEP_TIMES, ...deps.times };
    await run(sweeps({ store, jsm: nats.jsm, publisher, metrics, log, times }));
  });
}
