import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Announce, announceOnStderr } from './announce.ts';
import { tryLock } from './directory-lock.ts';
import { freePort, isPortFree } from './free-port.ts';
import { localMongoUrl, mongo, withoutRetryWrites } from './mongo.ts';
import { nats } from './nats.ts';
import { redis } from './redis.ts';
import { createRunDir, newRunId, runtimeDir } from './runtime-dir.ts';
import { PortTakenError, ServerProcess } from './server-process.ts';
import type { ServerKind, ServerName } from './server-recipe.ts';
import { Watchdog } from './watchdog.ts';

export type { ServerName } from './server-recipe.ts';

export interface StartServersOptions {
  /** Which ones; all three by default. */
  servers?: readonly ServerName[];
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

export interface StartedServer {
  name: ServerName;
  /** `nats-server 2.15.1`; of a server from the environment only its variable is known. */
  title: string;
  origin: 'environment' | 'path' | 'private copy';
  /** From the start of its process to its first answer; 0 where it ran already. */
  readyMs: number;
  logFile: string | null;
  pid: number | null;
}

/** A URL of a server that was not among those asked for throws when it is read. */
export interface Servers extends AsyncDisposable {
  readonly natsUrl: string;
  /** null where the server is not ours and NATS_MONITOR_URL does not say. */
  readonly natsMonitorUrl: string | null;
  /** Carries `retryWrites=false`. */
  readonly mongoUrl: string;
  readonly mongoDatabase: string;
  /** `redis://host:port` */
  readonly redisUrl: string;
  readonly logDir: string;
  readonly started: readonly StartedServer[];
  /** Sends a signal (default SIGKILL); resolves when the server is gone, at once for SIGSTOP and SIGCONT. */
  kill(name: ServerName, signal?: NodeJS.Signals): Promise<void>;
  /** Kills it if it still runs, starts it on the same port and data, resolves when it answers. */
  restart(name: ServerName): Promise<void>;
  /** Ends what was started; temporary data is removed. Safe to call twice. */
  stop(): Promise<void>;
}

const kinds: Record<ServerName, ServerKind> = { nats, mongo, redis };
const allServers: readonly ServerName[] = ['nats', 'mongo', 'redis'];
const startAttempts = 3;

interface Running {
  process: ServerProcess | null;
  about: Omit<StartedServer, 'pid'>;
  url: string;
  monitorUrl: string | null;
}

/** Starts the servers side by side, or takes those that the environment names. */
export async function startServers(options: StartServersOptions = {}): Promise<Servers> {
  const announce = options.announce ?? announceOnStderr;
  const environment = options.environment ?? process.env;
  const runId = newRunId();
  const logs = environment.SMSBATCH_LOG_DIR || join(runtimeDir(environment), 'logs');
  const logDir = await createRunDir(logs, options.label ? `${runId}-${options.label}` : runId);
  const kept = options.dataDir ?? null;
  const dataDir = kept ?? (await createRunDir(join(runtimeDir(environment), 'data'), runId));
  await mkdir(dataDir, { recursive: true });
  const held = kept ? await holdDataDir(kept) : null;
  const watchdog = new Watchdog(kept ? null : dataDir);
  const running = new Map<ServerName, Running>();

  let stopping: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      await Promise.all([...running.values()].map(({ process: server }) => server?.stop(kept !== null)));
      watchdog.dismiss();
      if (!kept) await rm(dataDir, { recursive: true, force: true });
      await held?.release();
    })();
    return stopping;
  };

  const startOne = async (name: ServerName): Promise<void> => {
    const external = environment[kinds[name].variable];
    if (external) return void running.set(name, fromEnvironment(name, external, environment));
    const recipe = await kinds[name].find(announce);
    const dir = join(dataDir, name);
    await mkdir(dir, { recursive: true });
    for (let attempt = 1; ; attempt++) {
      const ports = await choosePorts(dir, recipe.portsNeeded);
      const logFile = join(logDir, `${name}.log`);
      const server = new ServerProcess(await recipe.command({ ports, dir }), logFile, watchdog);
      const startedAt = performance.now();
      try {
        const [port = 0, monitorPort] = ports;
        const about = { name, title: recipe.title, origin: recipe.origin, readyMs: 0, logFile };
        running.set(name, {
          process: server,
          about,
          url: localUrl(name, port),
          monitorUrl: monitorPort === undefined ? null : `http://127.0.0.1:${monitorPort}`,
        });
        await server.start();
        about.readyMs = performance.now() - startedAt;
        await writeFile(join(dir, 'ports.json'), JSON.stringify(ports));
        return;
      } catch (error) {
        if (!(error instanceof PortTakenError) || attempt === startAttempts) throw error;
      }
    }
  };

  const wanted = options.servers ?? allServers;
  const results = await Promise.allSettled(wanted.map(startOne));
  const failures = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as Error] : [],
  );
  if (failures.length > 0) {
    await stop();
    if (failures.length === 1) throw failures[0];
    throw new AggregateError(failures, failures.map((failure) => failure.message).join('\n'));
  }

  const of = (name: ServerName): Running => {
    const found = running.get(name);
    if (!found) throw new Error(`${name} was not among the servers asked for: ${wanted.join(', ')}`);
    return found;
  };
  const own = (name: ServerName): ServerProcess => {
    const found = of(name).process;
    if (!found)
      throw new Error(`${name} comes from ${kinds[name].variable}: it is not ours to kill or restart`);
    return found;
  };
  const database = options.database ?? `smsbatch_${runId.replaceAll('-', '_')}`;
  return {
    get natsUrl() {
      return of('nats').url;
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
      return [...running.values()].map((one) => ({ ...one.about, pid: one.process?.pid ?? null }));
    },
    kill: (name, signal = 'SIGKILL') => own(name).kill(signal),
    restart: (name) => own(name).restart(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function localUrl(name: ServerName, port: number): string {
  if (name === 'mongo') return localMongoUrl(port);
  return `${name}://127.0.0.1:${port}`;
}

function fromEnvironment(name: ServerName, value: string, environment: NodeJS.ProcessEnv): Running {
  const url =
    name === 'mongo'
      ? withoutRetryWrites(value)
      : name === 'redis' && !value.includes('://')
        ? `redis://${value}`
        : value;
  return {
    process: null,
    about: { name, title: kinds[name].variable, origin: 'environment', readyMs: 0, logFile: null },
    url,
    monitorUrl: name === 'nats' ? environment.NATS_MONITOR_URL || null : null,
  };
}

/** The ports that this data was served on before, where they are free: a replica set's configuration names its own. */
async function choosePorts(dir: string, count: number): Promise<number[]> {
  const before: number[] = await readFile(join(dir, 'ports.json'), 'utf8').then(JSON.parse, () => []);
  if (before.length === count && (await Promise.all(before.map(isPortFree))).every(Boolean)) return before;
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

/** nats-server does not notice that another one writes to the same folder. */
async function holdDataDir(dir: string): Promise<AsyncDisposable & { release(): Promise<void> }> {
  const held = await tryLock(join(dir, 'in-use'));
  if (!held) throw new Error(`${dir} is in use by another run: stop it first, or choose another folder`);
  return held;
}
