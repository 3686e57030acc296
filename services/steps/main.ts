import Type from 'typebox';
import { readConfig } from '../../lib/config/read-config.ts';
import { part } from '../../lib/lifecycle/part.ts';
import { connectMongo } from '../../lib/mongo/connect.ts';
import { isTransient } from '../../lib/mongo/errors.ts';
import { serveApi } from '../../lib/nats/micro.ts';
import { publisher as publisherOf } from '../../lib/nats/publish.ts';
import { presence } from '../../lib/presence/presence.ts';
import { rateLimiter } from '../../lib/rate/rate-limiter.ts';
import type { Component } from '../../lib/service/component.ts';
import { storeOf } from '../../lib/store/collections.ts';
import { PLAIN_STEPS } from './built-in-steps.ts';
import { startSteps } from './component.ts';
import { stepsConfig } from './config.ts';
import { deliveryStep } from './delivery/delivery-step.ts';
import { providerEndpoints } from './delivery/providers/provider-api.ts';
import { providersConfig, readProviders } from './delivery/providers/provider-config.ts';
import { providerSet } from './delivery/providers/provider-set.ts';
import { stepMetrics } from './metrics.ts';
import { stepRegistry } from './registry.ts';
import type { Step } from './step.ts';

/** Connections of the journal: one intent a task on the way, and its take-overs. */
const JOURNAL_POOL = 4;

/**
 * Connects to NATS, MongoDB (twice: the journal has a client of its own), Redis (rates) and the carriers. Consumes
 * SMS_STEPS, one durable consumer a step type; publishes answers to SMS_COMMANDS, progress to SMS_EVENTS, receipts to
 * SMS_RECEIPTS; serves `sms.api.step.*` and `sms.api.provider.*`.
 * @param custom steps of one's own, beside the built-in ones
 */
export const stepsWith = (custom: readonly Step[] = []): Component => ({
  name: 'steps',
  summary: 'validation, partition, preparation, delivery, statistics, cleanup',
  switch: 'STEPS_ENABLED',
  config: Type.Object({ ...stepsConfig.properties, ...providersConfig.properties }),
  checkConfig: readProviders,
  start: (surroundings) => {
    const { nats, store, redis, env, hostId, version } = surroundings;
    const log = surroundings.log.child({ component: 'steps' });
    const config = readConfig(stepsConfig, env);
    const configs = readProviders(env);
    return part('steps', async ({ run, use, signal }) => {
      const hosts = await run(presence({ nats, subject: 'sms.presence.steps', hostId, log }));
      const limiter = rateLimiter({ view: redis, liveHosts: hosts.liveHosts, log });
      const journal = use(
        await connectMongo({
          url: surroundings.mongoUrl,
          database: surroundings.mongoDatabase,
          name: `${hostId} journal`,
          log,
          maxPoolSize: JOURNAL_POOL,
          signal,
        }),
      );
      const publisher = publisherOf(nats);
      const providers = await run(providerSet({ configs, db: store.db, publisher, limiter, hostId, log }));
      const delivery = deliveryStep({ providers, limiter, journalTasks: storeOf(journal.db).tasks });
      const registry = stepRegistry([...PLAIN_STEPS, delivery, ...custom]);
      const metrics = stepMetrics(surroundings.registry);
      await run(startSteps({ nats, store, config, registry, metrics, log, version, holder: hostId }));
      await run(
        serveApi(nats.nc, {
          name: 'smsbatch-providers',
          version,
          description: 'Carrier accounts',
          endpoints: providerEndpoints(store.db, providers),
          log,
          unavailable: isTransient,
        }),
      );
    });
  },
});

export const steps: Component = stepsWith();
