import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Announce } from './announce.ts';
import { choosePorts, rememberPorts } from './data-ports.ts';
import { localMongoUrl, mongo, withoutRetryWrites } from './mongo.ts';
import { nats } from './nats.ts';
import { redis } from './redis.ts';
import { PortTakenError, ServerProcess } from './server-process.ts';
import type { NatsSettings, ServerKind, ServerName, ServerRecipe } from './server-recipe.ts';
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
  dataDir: string | null;
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
    dataDir: null,
    process: null,
  };
}

export interface Place {
  dataDir: string;
  logDir: string;
  watchdog: Watchdog;
  announce: Announce;
  nats: NatsSettings;
}

/** Starts a server of our own and resolves when it answers. */
export async function startServer(name: ServerName, place: Place): Promise<OneServer> {
  const recipe = await kinds[name].find(place.announce);
  const { dir, logFile } = await folders(name, place);
  return withFreePorts(async () => {
    const ports = await choosePorts(dir, recipe.portsNeeded);
    const command = await recipe.command({ ports, dir, nats: place.nats });
    const server = new ServerProcess(command, logFile, place.watchdog);
    const startedAt = performance.now();
    await server.start();
    await rememberPorts(dir, ports);
    return described(name, recipe, { ports, dir, logFile, server, startedAt });
  });
}

/** Starts a cluster of nats-servers, `nats-1` and so on: one answer each, when all of them answer. */
export async function startNatsNodes(count: number, place: Place): Promise<OneServer[]> {
  const recipe = await kinds.nats.find(place.announce);
  const names = Array.from({ length: count }, (_, index) => `nats-${index + 1}`);
  const at = await Promise.all(names.map((name) => folders(name, place)));
  return withFreePorts(async () => {
    // Each server's own ports, then the one on which the others find it.
    const ports = await Promise.all(at.map(({ dir }) => choosePorts(dir, recipe.portsNeeded + 1)));
    const routePorts = ports.map((own) => own.at(-1)!);
    const servers = await Promise.all(
      at.map(async ({ dir, logFile }, index) => {
        const member = { name: names[index]!, clusterPort: routePorts[index]!, routePorts };
        const command = await recipe.command({ ports: ports[index]!, dir, nats: { ...place.nats, member } });
        return new ServerProcess(command, logFile, place.watchdog);
      }),
    );
    const startedAt = performance.now();
    try {
      await Promise.all(servers.map((server) => server.start()));
    } catch (error) {
      await Promise.all(servers.map((server) => server.stop(false)));
      throw error;
    }
    await Promise.all(at.map(({ dir }, index) => rememberPorts(dir, ports[index]!)));
    return servers.map((server, index) =>
      described('nats', recipe, { ...at[index]!, ports: ports[index]!, server, startedAt }),
    );
  });
}

async function folders(name: string, place: Place): Promise<{ dir: string; logFile: string }> {
  const dir = join(place.dataDir, name);
  await mkdir(dir, { recursive: true });
  return { dir, logFile: join(place.logDir, `${name}.log`) };
}

/** Another process may take a port between the choice and the start. */
async function withFreePorts<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof PortTakenError) || attempt === startAttempts) throw error;
    }
  }
}

function described(
  name: ServerName,
  { title, origin }: ServerRecipe,
  { ports: [port = 0, monitorPort], dir, logFile, server, startedAt }: Started,
): OneServer {
  return {
    name,
    title,
    origin,
    url: localUrl(name, port),
    monitorUrl: monitorPort === undefined ? null : `http://127.0.0.1:${monitorPort}`,
    readyMs: performance.now() - startedAt,
    logFile,
    dataDir: dir,
    process: server,
  };
}

interface Started {
  ports: readonly number[];
  dir: string;
  logFile: string;
  server: ServerProcess;
  startedAt: number;
}
