import type { Component } from '../../lib/service/component.ts';
import { startBatch } from './component.ts';

/**
 * Connects to NATS, MongoDB and Redis (to read a status). Consumes the 32 partitions of SMS_COMMANDS; publishes tasks to
 * SMS_STEPS, events to SMS_EVENTS, commands to SMS_COMMANDS; writes `batches` and `tasks`; serves `sms.api.batch.*` and
 * `sms.api.recipient.get`.
 */
export const batch: Component = {
  name: 'batch',
  summary: 'batch actors and their API',
  switch: 'BATCH_ENABLED',
  start: ({ nats, store, status, registry, log, version }) =>
    startBatch({ nats, store, status, registry, log: log.child({ component: 'batch' }), version }),
};
