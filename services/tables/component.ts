import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { loopPart } from '../../lib/lifecycle/loop.ts';
import { type Part, part } from '../../lib/lifecycle/part.ts';
import { isTransient } from '../../lib/mongo/errors.ts';
import { ensureIndexes } from '../../lib/mongo/indexes.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import { keepMade } from '../../lib/nats/keep-made.ts';
import { serveApi } from '../../lib/nats/micro.ts';
import type { Store } from '../../lib/store/collections.ts';
import { TABLE_INDEXES } from '../../lib/tables/indexes.ts';
import { removeOrphans } from '../../lib/tables/remove-orphans.ts';
import { ensureUploads } from '../../lib/tables/sources/uploaded-object.ts';
import { tableEndpoints } from './api.ts';
import type { TablesConfig } from './config.ts';
import { runningImports } from './imports.ts';

export interface TablesDeps {
  nats: Nats;
  store: Store;
  config: TablesConfig;
  registry: Registry;
  log: Logger;
  version: string;
}

const SWEEP_EVERY_MS = 15 * 60_000;

/** Serves `sms.api.table.*`, and removes the chunks that nobody names any more. */
export function startTables({ nats, store, config, registry, log, version }: TablesDeps): Part {
  return part('tables', async ({ run, defer, signal }) => {
    await ensureIndexes(store.db, TABLE_INDEXES);
    await run(keepMade(nats, () => ensureUploads(nats, config.NATS_REPLICAS), log));
    const imports = runningImports({ store, log, registry, signal });
    defer(() => imports.stop());
    await run(
      loopPart(
        'orphaned chunks',
        async () => {
          const swept = await removeOrphans(store);
          if (swept.removed > 0) log.info(swept, 'chunks removed that nobody names');
        },
        { log, pauseMs: SWEEP_EVERY_MS },
      ),
    );
    await run(
      serveApi(nats.nc, {
        name: 'smsbatch-tables',
        version,
        description: 'Recipient tables',
        endpoints: tableEndpoints({ nats, store, importDirs: config.TABLE_IMPORT_DIRS, imports }),
        log,
        unavailable: isTransient,
      }),
    );
  });
}
