import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { commandClient } from '../../lib/batch/command-client.ts';
import { type Part, part, together } from '../../lib/lifecycle/part.ts';
import { isTransient } from '../../lib/mongo/errors.ts';
import { ensureIndexes } from '../../lib/mongo/indexes.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import { serveApi } from '../../lib/nats/micro.ts';
import { publisher as publisherOf } from '../../lib/nats/publish.ts';
import type { Store } from '../../lib/store/collections.ts';
import { STORE_INDEXES } from '../../lib/store/indexes.ts';
import { deadEndpoints } from './dead/api.ts';
import { givenUp } from './dead/given-up.ts';
import type { HotFolder } from './folders/folder-config.ts';
import { hotFolder } from './folders/hot-folder.ts';
import { watcherMetrics } from './metrics.ts';
import { SWEEP_TIMES, type SweepTimes, sweeps } from './sweeps/sweeps.ts';
import { RULE_INDEXES } from './triggers/rules.ts';
import { ruleEndpoints } from './triggers/rules-api.ts';
import { triggers } from './triggers/triggers.ts';

export interface WatcherDeps {
  nats: Nats;
  store: Store;
  registry: Registry;
  log: Logger;
  version: string;
  folders?: readonly HotFolder[];
  /** Tests have less patience. */
  times?: Partial<SweepTimes>;
}

/**
 * Makes triggers into commands and files into batches; sweeps over batches; follows what the server gave up on; serves `sms.api.rule.*` and
 * `sms.api.dead.*`.
 */
export function startWatcher(deps: WatcherDeps): Part {
  const { nats, store, registry, log, version, folders = [] } = deps;
  return part('watcher', async ({ run }) => {
    await ensureIndexes(store.db, { ...STORE_INDEXES, ...RULE_INDEXES });
    const publisher = publisherOf(nats);
    const metrics = watcherMetrics(registry);
    const times = { ...SWEEP_TIMES, ...deps.times };
    await run(sweeps({ store, jsm: nats.jsm, publisher, metrics, log, times }));
    await run(
      givenUp({ nc: nats.nc, jsm: nats.jsm, publisher, metrics, log, everyMs: times.givenUpEveryMs }),
    );
    const commands = await run(commandClient(nats.nc, publisher));
    await run(triggers({ nats, store, publisher, commands, metrics, log }));
    const lookEveryMs = times.everyMs;
    const parts = folders.map((folder) => hotFolder({ folder, store, commands, metrics, log, lookEveryMs }));
    await run(together('folders', parts));
    await run(
      serveApi(nats.nc, {
        name: 'smsbatch-watcher',
        version,
        description: 'Rules for triggers, and dead letters',
        endpoints: [...ruleEndpoints({ store, log }), ...deadEndpoints({ nats, publisher, metrics, log })],
        log,
        unavailable: isTransient,
      }),
    );
  });
}
