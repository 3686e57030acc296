import type { Component } from '../../lib/service/component.ts';
import { startWatcher } from './component.ts';

/**
 * Connects to NATS and MongoDB. Publishes `reconcile` to SMS_COMMANDS and what its sweeps have found to SMS_EVENTS; reads
 * `batches` and `tasks`. Decides nothing about the state of a batch.
 */
export const watcher: Component = {
  name: 'watcher',
  summary: 'sweeps for batches that are due or stuck; at least one process must run it',
  switch: 'WATCHER_ENABLED',
  start: ({ nats, store, registry, log, version }) =>
    startWatcher({ nats, store, registry, log: log.child({ component: 'watcher' }), version }),
};
