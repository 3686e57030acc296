import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { streamShapes } from '../../contracts/streams.ts';
import type { Env } from '../config/read-config.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { type Part, part } from '../lifecycle/part.ts';
import { connectMongo } from '../mongo/connect.ts';
import { connectNats } from '../nats/connect.ts';
import { keepMade } from '../nats/keep-made.ts';
import { ensureStream, type WantedStream } from '../nats/streams.ts';
import { connectRedis } from '../redis/connect.ts';
import { storeOf } from '../store/collections.ts';
import type { Surroundings } from './component.ts';
import { tellSyncInterval } from './sync-interval.ts';

export const packageVersion: string = JSON.parse(readFileSync(findPackageJson(), 'utf8')).version;

/** Works from the sources and from dist/, which lies one folder deeper. */
function findPackageJson(): URL {
  for (const up of ['../../', '../../../']) {
    const candidate = new URL(`${up}package.json`, import.meta.url);
    try {
      readFileSync(candidate);
      return candidate;
    } catch {
      // One folder up, then.
    }
  }
  throw new Error('package.json is not where the program expects it');
}

export interface SurroundingsPart extends Part {
  /** @throws before start */
  get(): Surroundings;
}

/** Connects a process to its servers and makes the streams: everything the components share. */
export function surroundings(options: {
  config: ServerConfig;
  env: Env;
  hostId: string;
  registry: Registry;
  log: Logger;
}): SurroundingsPart {
  const { config, env, hostId, registry, log } = options;
  let ready: Surroundings | undefined;
  const running = part('servers', async ({ run, use, signal }) => {
    const name = `smsbatch ${hostId}`;
    const redis = use(connectRedis({ addr: config.REDIS_ADDR, name, log }));
    const mongo = use(
      await connectMongo({
        url: config.MONGODB_URL,
        database: config.MONGODB_DATABASE,
        name,
        log,
        // Turns of 32 partitions, sweeps, steps and the API share it.
        maxPoolSize: 64,
        signal,
      }),
    );
    const nats = use(
      await connectNats({
        url: config.NATS_URL,
        name,
        log,
        signal,
        credsFile: config.NATS_CREDS_FILE,
        user: config.NATS_USER,
        password: config.NATS_PASSWORD,
        token: config.NATS_TOKEN,
        tlsCaFile: config.NATS_TLS_CA_FILE,
        tlsCertFile: config.NATS_TLS_CERT_FILE,
        tlsKeyFile: config.NATS_TLS_KEY_FILE,
        inboxPrefix: config.NATS_INBOX_PREFIX,
      }),
    );
    const makeStreams = async () => {
      for (const shape of streamShapes()) {
        await ensureStream(nats.jsm, { ...shape, num_replicas: config.NATS_REPLICAS } as WantedStream);
      }
    };
    await run(keepMade(nats, makeStreams, log));
    await tellSyncInterval(config.NATS_MONITOR_URL, log);
    const store = storeOf(mongo.db);
    ready = {
      nats,
      mongo,
      redis,
      store,
      status: { redis, store, log },
      registry,
      log,
      hostId,
      version: packageVersion,
      env,
      mongoUrl: config.MONGODB_URL,
      mongoDatabase: config.MONGODB_DATABASE,
    };
  });
  return {
    ...running,
    get: () => {
      if (!ready) throw new Error('the servers are not connected yet');
      return ready;
    },
  };
}
