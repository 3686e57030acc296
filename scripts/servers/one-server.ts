import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Announce } from './announce.ts';
import { choosePorts, rememberPorts } from './data-ports.ts';
import { localMongoUrl, mongo, withoutRetryWrites } from './mongo.ts';
import { nats } from './nats.ts';
import { redis } from './redis.ts';
import { PortTakenError, ServerProcess } from './server-process.ts';
import type { ServerKind, ServerName } from './server-recipe.ts';
import type { Watchdog } from './watchdog.ts';

const kinds: Record<ServerName, ServerKind> = { nats, mongo, redis };
const startAttempts = 3;

export interface OneServer {
  name: ServerName;
  /** `nats-server 2.15.1`; of a server from the environment its variable. */
  title: string;
  origin: 'environment' | 'path' | 'private copy';
  url: string;
  monitorUrl: string | null;
  /** From the start of its process to its first answer; 0 where it ran already. */
  readyMs: number;
  logFile: string | null;
  /** null where it is not ours. */
  process: ServerProcess | null;
}

function localUrl(name: ServerName, port: number): string {
  return name === 'mongo' ? localMongoUrl(port) : `${name}://127.0.0.1:${port}`;
}

/** The server that the environment names; null where it names none. */
export function serverFromEnvironment(name: ServerName, environment: NodeJS.ProcessEnv): OneServer | null {
  const { variable } = kinds[name];
  const value = environment[variable];
  if (!value) return null;
  const addressed = name === 'redis' && !value.includes('://') ? `redis://${value}` : value;
  return {
    name,
    title: variable,
    origin: 'environment',
    url: name === 'mongo' ? withoutRetryWrites(addressed) : addressed,
    monitorUrl: name === 'nats' ? environment.NATS_MONITOR_URL || null : null,
    readyMs: 0,
    logFile: null,
    process: null,
  };
}

export interface Place {
  dataDir: string;
  logDir: string;
  watchdog: Watchdog;
  announce: Announce;
}

/** Starts a server of our own and resolves when it answers. */
export async function startServer(name: ServerName, place: Place): Promise<OneServer> {
  const recipe = await kinds[name].find(place.announce);
  const dir = join(place.dataDir, name);
  const logFile = join(place.logDir, `${name}.log`);
  await mkdir(dir, { recursive: true });
  for (let attempt = 1; ; attempt++) {
    const ports = await choosePorts(dir, recipe.portsNeeded);
    const server = new ServerProcess(await recipe.command({ ports, dir }), logFile, place.watchdog);
    const startedAt = performance.now();
    try {
      await server.start();
      const readyMs = performance.now() - startedAt;
      await rememberPorts(dir, ports);
      const [port = 0, monitorPort] = ports;
      return {
        name,
        title: recipe.title,
        origin: recipe.origin,
        url: localUrl(name, port),
        monitorUrl: monitorPort === undefined ? null : `http://127.0.0.1:${monitorPort}`,
        readyMs,
        logFile,
        process: server,
      };
    } catch (error) {
      if (!(error instanceof PortTakenError) || attempt === startAttempts) throw error;
    }
  }
}
