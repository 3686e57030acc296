import type { Component } from '../../lib/service/component.ts';
import { startStats } from './component.ts';

/**
 * Connects to NATS, Redis and MongoDB. Consumes SMS_EVENTS; publishes poison to SMS_DEAD; writes `smsbatch:stats:<batchId>` in
 * Redis, and nothing else; reads `batches`, `tasks` and `recounts` for repairs; serves `sms.api.stats.*`.
 */
export const stats: Component = {
  name: 'stats',
  summary: 'figures of batches in Redis, and of the service',
  switch: 'STATISTICS_SYNC_ENABLED',
  start: ({ nats, redis, store, registry, log, version }) =>
    startStats({ nats, redis, store, registry, log: log.child({ component: 'stats' }), version }),
};
