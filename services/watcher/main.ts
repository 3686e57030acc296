import type { Component } from '../../lib/service/component.ts';
import { startWatcher } from './component.ts';

/**
 * Connects to NATS and MongoDB. Publishes `reconcile` to SMS_COMMANDS and what its sweeps have found to SMS_EVENTS; hears
 * the server's advisories and moves what it gave up on to SMS_DEAD; reads `batches` and `tasks`; serves `sms.api.dead.*`.
 * Decides nothing about the state of a batch.
 */
export const watcher: Component = {
  name: 'watcher',
  summary: 'sweeps for what is due or stuck (one process at least must run it), dead letters',
  switch: 'WATCHER_ENABLED',
  start: ({ nats, store, registry, log, version }) =>
    startWatcher({ nats, store, registry, log: log.child({ component: 'watcher' }), version }),
};
