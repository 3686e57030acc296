import { readConfig } from '../../lib/config/read-config.ts';
import type { Component } from '../../lib/service/component.ts';
import { startTables } from './component.ts';
import { tablesConfig } from './config.ts';

/**
 * Connects to NATS and MongoDB. Consumes no stream and publishes nothing; serves `sms.api.table.*`; reads the object store
 * SMS_UPLOADS, files under TABLE_IMPORT_DIRS and other people's collections; writes `tables`, `source_chunks`, `imports`.
 */
export const tables: Component = {
  name: 'tables',
  summary: 'recipient tables: import, append, list',
  switch: 'TABLES_ENABLED',
  config: tablesConfig,
  start: ({ nats, store, env, registry, log, version }) =>
    startTables({
      nats,
      store,
      config: readConfig(tablesConfig, env),
      registry,
      log: log.child({ component: 'tables' }),
      version,
    }),
};
