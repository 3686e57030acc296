import type { Servers } from '../servers/start-servers.ts';
import { type Child, startChild } from './child-process.ts';

export interface EngineOptions {
  servers: Pick<
    Servers,
    'natsUrl' | 'natsMonitorUrl' | 'mongoUrl' | 'mongoDatabase' | 'redisUrl' | 'logDir'
  > &
    Partial<Pick<Servers, 'natsReplicas'>>;
  /** As SMSBATCH_PROVIDERS takes them. */
  providers: readonly object[];
  env?: Record<string, string | undefined>;
  /** From dist/, as in production. */
  built?: boolean;
}

/** The environment of one process of the product. */
export function engineEnvironment(
  name: string,
  { servers, providers, env }: EngineOptions,
): Record<string, string | undefined> {
  return {
    NATS_URL: servers.natsUrl,
    NATS_MONITOR_URL: servers.natsMonitorUrl ?? '',
    ...(servers.natsReplicas && { NATS_REPLICAS: String(servers.natsReplicas) }),
    MONGODB_URL: servers.mongoUrl,
    MONGODB_DATABASE: servers.mongoDatabase,
    REDIS_ADDR: servers.redisUrl,
    SMSBATCH_PROVIDERS: JSON.stringify(providers),
    HOST_ID: name,
    ...env,
  };
}

/** One process of the product, with some of its components: `npm start -- batch steps`. */
export function startEngine(
  name: string,
  components: readonly string[],
  options: EngineOptions,
): Promise<Child> {
  return startChild({
    name,
    script: 'services/main.ts',
    args: components,
    ...(options.built !== undefined && { built: options.built }),
    logDir: options.servers.logDir,
    isReady: (line) => line.msg === 'ready',
    env: engineEnvironment(name, options),
  });
}
