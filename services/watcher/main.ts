import type { Component } from '../../lib/service/component.ts';
import { startWatcher } from './component.ts';
import { foldersConfig, readFolders } from './folders/folder-config.ts';

/**
 * Connects to NATS and MongoDB. Consumes SMS_TRIGGERS; publishes commands, `reconcile` among them, to SMS_COMMANDS, what its
 * sweeps have found to SMS_EVENTS, and what cannot be obeyed to SMS_DEAD; hears the server's advisories and moves what it gave
 * up on there, too; takes files from WATCHER_FOLDERS; writes `rules`, tables of files; reads `batches` and `tasks`; serves `sms.api.rule.*` and `sms.api.dead.*`.
 * Decides nothing about the state of a batch.
 */
export const watcher: Component = {
  name: 'watcher',
  summary:
    'sweeps for what is due or stuck (one process at least must run it), triggers, hot folders, dead letters',
  switch: 'WATCHER_ENABLED',
  config: foldersConfig,
  checkConfig: readFolders,
  start: ({ nats, store, env, registry, log, version }) =>
    startWatcher({
      nats,
      store,
      folders: readFolders(env),
      registry,
      log: log.child({ component: 'watcher' }),
      version,
    }),
};
