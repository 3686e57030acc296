import type { Component } from '../../lib/service/component.ts';
import { startReceipts } from './component.ts';

/**
 * Connects to NATS and MongoDB. Consumes SMS_RECEIPTS; publishes `recounted` to SMS_EVENTS, poison to SMS_DEAD; writes
 * `receipts`, `parked_receipts` and `recounts`; reads `batches`, `partitions`, `message_chunks`, `outcomes` and `tasks`;
 * serves `sms.api.receipt.orphans`.
 */
export const receipts: Component = {
  name: 'receipts',
  summary: 'delivery receipts and late answers, joined to their messages',
  switch: 'RECEIPTS_ENABLED',
  start: ({ nats, store, registry, log, version, hostId }) =>
    startReceipts({ nats, store, registry, log: log.child({ component: 'receipts' }), version, hostId }),
};
