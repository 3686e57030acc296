import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Announce, announceOnStderr } from './announce.ts';
import { type HeldLock, tryLock } from './directory-lock.ts';
import { type NatsCluster, natsCluster } from './nats-cluster.ts';
import {
  type OneServer,
  type Place,
  serverFromEnvironment,
  startNatsNodes,
  startServer,
} from './one-server.ts';
import { createRunDir, newRunId, runtimeDir } from './runtime-dir.ts';
import type { ServerProcess } from './server-process.ts';
import type { ServerName } from './server-recipe.ts';
import { Watchdog } from './watchdog.ts';

export type { ServerName } from './server-recipe.ts';

export interface StartServersOptions {
  /** Which ones; all three by default. */
  servers?: readonly ServerName[];
  /** 3: a cluster of three nats-servers, `natsUrl` lists them all. Default: 1. */
  natsNodes?: number;
  /** JetStream's `max_file_store` of a nats-server of ours: for what happens when its disk is full. */
  natsMaxFileStoreBytes?: number;
  /** Keeps the data here, and the ports, from run to run. Default: a temporary folder that goes with the servers. */
  dataDir?: string;
  /** Name of the MongoDB database; by default one that no other run has. */
  database?: string;
  /** Where NATS_URL, NATS_MONITOR_URL, MONGODB_URL and REDIS_ADDR are looked for. Default: this process's environment. */
  environment?: NodeJS.ProcessEnv;
  /** Ends the name of the folder with the logs, so that a person finds it. */
  label?: string;
  /** Takes the lines for people; default: stderr. */
  announce?: Announce;
}

export interface StartedServer extends Omit<OneServer, 'process' | 'monitorUrl' | 'dataDir'> {
  /** null where it is not ours, or does not run. */
  pid: number | null;
}

/** The URL of a server that was not among those asked for throws when it is read. */
export interface Servers extends AsyncDisposable {
  /** Of a cluster all of them, separated by commas: parseNatsUrl() of lib/nats gives the client's `servers`. */
  readonly natsUrl: string;
  /** Of a cluster the first one's; null where the server is not ours and NATS_MONITOR_URL does not say. */
  readonly natsMonitorUrl: string | null;
  /** Carries `retryWrites=false`. */
  readonly mongoUrl: string;
  readonly mongoDatabase: string;
  /** `redis://host:port` */
  readonly redisUrl: string;
  readonly logDir: string;
  readonly started: readonly StartedServer[];
  /** What streams are made with: a copy on each node of ours; null where the server is not ours. */
  readonly natsReplicas: number | null;
  /** Its nodes one by one. @throws where it is no cluster of ours */
  readonly natsCluster: NatsCluster;
  /** Where a server of ours keeps its data; of a cluster each node has its own. */
  dataDir(name: ServerName): string;
  /** Sends a signal (default SIGKILL), to a cluster as a whole; resolves when the server is gone, at once for SIGSTOP and SIGCONT. */
  kill(name: ServerName, signal?: NodeJS.Signals): Promise<void>;
  /** Kills it if it still runs, starts it on the same port and data, resolves when it answers. */
  restart(name: ServerName): Promise<void>;
  /** Ends what was started; temporary data is removed. Safe to call twice. */
  stop(): Promise<void>;
}

const allServers: readonly ServerName[] = ['nats', 'mongo', 'redis'];

/**
 * Starts the servers side by side, or takes those that the environment names. They end with this process, however it ends.
 * @throws when one cannot be had or does not start, with the remedy or the end of its log; the others are stopped then
 */
export async function startServers(options: StartServersOptions = {}): Promise<Servers> {
  const environment = options.environment ?? process.env;
  const wanted = options.servers ?? allServers;
  const runId = newRunId();
  const logs = environment.SMSBATCH_LOG_DIR || join(runtimeDir(environment), 'logs');
  const logDir = await createRunDir(logs, options.label ? `${runId}-${options.label}` : runId);
  const kept = options.dataDir ?? null;
  const dataDir = kept ?? (await createRunDir(join(runtimeDir(environment), 'data'), runId));
  const held = kept ? await holdDataDir(kept) : null;
  const watchdog = new Watchdog(kept ? null : dataDir);
  const { natsNodes = 1, natsMaxFileStoreBytes } = options;
  const place: Place = {
    dataDir,
    logDir,
    watchdog,
    announce: options.announce ?? announceOnStderr,
    nats: natsMaxFileStoreBytes === undefined ? {} : { maxFileStoreBytes: natsMaxFileStoreBytes },
  };

  const results = await Promise.allSettled(
    wanted.map(async (name) => {
      const given = serverFromEnvironment(name, environment);
      if (given) return [given];
      if (name === 'nats' && natsNodes > 1) return startNatsNodes(natsNodes, place);
      return [await startServer(name, place)];
    }),
  );
  const running = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  let stopping: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      await Promise.all(running.map((server) => server.process?.stop(kept !== null)));
      watchdog.dismiss();
      if (!kept) await rm(dataDir, { recursive: true, force: true });
      await held?.release();
    })();
    return stopping;
  };
  const failures = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as Error] : [],
  );
  if (failures.length > 0) {
    await stop();
    throw failures.length === 1
      ? failures[0]
      : new AggregateError(failures, failures.map(({ message }) => message).join('\n'));
  }
  return handles(running, wanted, { logDir, database: options.database ?? databaseName(runId), stop });
}

function handles(
  running: readonly OneServer[],
  wanted: readonly ServerName[],
  { logDir, database, stop }: { logDir: string; database: string; stop: () => Promise<void> },
): Servers {
  const all = (name: ServerName): OneServer[] => {
    const found = running.filter((server) => server.name === name);
    if (found.length === 0)
      throw new Error(`${name} was not among the servers asked for: ${wanted.join(', ')}`);
    return found;
  };
  const of = (name: ServerName): OneServer => all(name)[0]!;
  const own = (name: ServerName): ServerProcess[] =>
    all(name).map(({ process: server, title }) => {
      if (!server) throw new Error(`${name} comes from ${title}: it is not ours to kill or restart`);
      return server;
    });
  return {
    get natsUrl() {
      return all('nats')
        .map(({ url }) => url)
        .join(',');
    },
    get natsReplicas() {
      return all('nats').some((server) => !server.process) ? null : all('nats').length;
    },
    get natsCluster() {
      return natsCluster(all('nats'));
    },
    get natsMonitorUrl() {
      return of('nats').monitorUrl;
    },
    get mongoUrl() {
      return of('mongo').url;
    },
    get mongoDatabase() {
      return of('mongo') && database;
    },
    get redisUrl() {
      return of('redis').url;
    },
    logDir,
    get started() {
      return running.map(({ process: server, monitorUrl: _, dataDir: _dir, ...about }) => ({
        ...about,
        pid: server?.pid ?? null,
      }));
    },
    dataDir(name) {
      const [server, ...others] = all(name);
      if (!server?.dataDir || others.length > 0)
        throw new Error(`${name} has no data folder of ours of its own`);
      return server.dataDir;
    },
    kill: async (name, signal = 'SIGKILL') => {
      await Promise.all(own(name).map((server) => server.kill(signal)));
    },
    restart: async (name) => {
      await Promise.all(own(name).map((server) => server.restart()));
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** At most 38 characters: Atlas allows no more. */
function databaseName(runId: string): string {
  return `smsbatch_${runId.replaceAll('-', '_')}`;
}

/** nats-server does not notice that another one writes to the same folder. */
async function holdDataDir(dir: string): Promise<HeldLock> {
  await mkdir(dir, { recursive: true });
  const held = await tryLock(join(dir, 'in-use'));
  if (!held) throw new Error(`${dir} is in use by another run: stop it first, or choose another folder`);
  return held;
}
