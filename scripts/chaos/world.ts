import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import type { Child } from '../engine/child-process.ts';
import { CleanUp } from '../engine/clean-up.ts';
import { startEngine } from '../engine/engine.ts';
import { type Simulator, startSimulator } from '../engine/simulator.ts';
import { type Servers, startServers } from '../servers/start-servers.ts';
import { crashEnvironment, readStrikes, type Strike } from './crash-points.ts';
import { type Link, openLink } from './link.ts';

/** Two of each service. */
const PROCESSES: Readonly<Record<string, readonly string[]>> = {
  'host-a': ['batch', 'tables', 'receipts', 'stats', 'scheduler', 'watcher'],
  'host-b': ['batch', 'tables', 'receipts', 'stats', 'scheduler', 'watcher'],
  'worker-a': ['steps'],
  'worker-b': ['steps'],
};
export const PROCESS_NAMES = Object.keys(PROCESSES);
export const isWorker = (name: string): boolean => PROCESSES[name]!.includes('steps');

const PEERS = ['nats', 'mongo', 'redis', 'carrier'] as const;
export type Peer = (typeof PEERS)[number];

/** Little more than the limits of all streams together, which the server reserves: so that it can be filled. */
const NATS_STORE_BYTES = 5.5 * 1024 ** 3;

/** How long a process may take to come to the point at which it strikes itself, and stays frozen there. */
const STRIKES_WITHIN_MS = 20_000;
const FROZEN_MS = 8_000;

/** On a busy machine a server may be slow to answer the first time. */
const FIRST_STARTS = 4;

/** Messages without an answer that a bind may have. */
export const SMPP_WINDOW = 200;
export const PLAIN_CARRIER = {
  latencyMs: 15,
  latencyJitterMs: 10,
  tpsLimit: 0,
  noAnswerShare: 0,
  lateAnswerShare: 0,
  doubledAnswerShare: 0,
  rules: [{ suffix: '77', commandStatus: 0x0b }],
  receipts: { share: 1, delayMs: 300, delayJitterMs: 300, earlyShare: 0, doubledShare: 0 },
};

/** Servers, carrier, and the product's processes, each with a proxy to each of them. */
export class World implements AsyncDisposable {
  readonly servers: Servers;
  readonly simulator: Simulator;
  readonly isCluster: boolean;
  readonly #stack: CleanUp;
  readonly #links = new Map<string, Partial<Record<Peer, Link>>>();
  readonly #processes = new Map<string, Child>();
  /** Names of processes that are being started or kept down by a fault. */
  readonly #down = new Set<string>();
  /** Processes that will strike themselves. */
  readonly #armed = new Set<string>();
  #stopping = false;
  #strikes = 0;
  /** Processes that ended although nobody ended them. */
  readonly diedAlone: { name: string; code: number | null; atMs: number }[] = [];

  private constructor(servers: Servers, simulator: Simulator, stack: CleanUp, isCluster: boolean) {
    this.isCluster = isCluster;
    this.servers = servers;
    this.simulator = simulator;
    this.#stack = stack;
  }

  static async open(options: { built: boolean; cluster: boolean }): Promise<World> {
    const stack = new CleanUp();
    try {
      const servers = stack.use(
        await startServers({
          label: 'chaos',
          ...(options.cluster ? { natsNodes: 3 } : { natsMaxFileStoreBytes: NATS_STORE_BYTES }),
        }),
      );
      const simulator = stack.use(
        await startSimulator(servers.logDir, {
          behaviour: { ...PLAIN_CARRIER, receipts: { ...PLAIN_CARRIER.receipts, retryMs: 2_000 } },
          built: options.built,
        }),
      );
      const world = new World(servers, simulator, stack, options.cluster);
      stack.defer(() => world.#stopProcesses());
      await Promise.all(PROCESS_NAMES.map((name) => world.#openLinks(name)));
      await Promise.all(PROCESS_NAMES.map((name) => world.#again(name, FIRST_STARTS)));
      return world;
    } catch (error) {
      await stack[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #openLinks(name: string): Promise<void> {
    const { natsUrl, mongoUrl, redisUrl } = this.servers;
    const links = {
      // Clients of a cluster learn its addresses, and would go round a proxy.
      ...(!this.isCluster && { nats: await openLink(addressOf(natsUrl)) }),
      mongo: await openLink(addressOf(mongoUrl)),
      redis: await openLink(addressOf(redisUrl)),
      carrier: await openLink({ host: '127.0.0.1', port: this.simulator.smppPort }),
    };
    for (const link of Object.values(links)) this.#stack.use(link);
    this.#links.set(name, links);
  }

  link(name: string, peer: Peer): Link {
    const link = this.#links.get(name)?.[peer];
    if (!link) throw new Error(`there is no proxy between ${name} and ${peer}`);
    return link;
  }

  /** Those that a process talks to through a proxy. */
  peersOf(name: string): Peer[] {
    return PEERS.filter((peer) => this.#links.get(name)?.[peer] && (peer !== 'carrier' || isWorker(name)));
  }

  process(name: string): Child | undefined {
    return this.#processes.get(name);
  }

  /** Starts a process that does not run. One that ends by itself is started again, as its supervisor would. */
  async start(name: string, env: Record<string, string> = {}): Promise<void> {
    const { natsUrl, mongoUrl, redisUrl, natsMonitorUrl, natsReplicas, mongoDatabase, logDir } = this.servers;
    const through = (url: string, peer: Peer): string => throughPort(url, this.link(name, peer).port);
    const account = this.simulator.account({ port: this.link(name, 'carrier').port, window: SMPP_WINDOW });
    const child = await startEngine(name, PROCESSES[name]!, {
      servers: {
        natsMonitorUrl,
        mongoDatabase,
        logDir,
        natsReplicas,
        natsUrl: this.isCluster ? natsUrl : through(natsUrl, 'nats'),
        mongoUrl: through(mongoUrl, 'mongo'),
        redisUrl: through(redisUrl, 'redis'),
      },
      providers: [account],
      env,
    });
    this.#processes.set(name, child);
    void child.exited.then((code) => {
      if (this.#stopping || this.#down.has(name)) return;
      if (!this.#armed.has(name)) this.diedAlone.push({ name, code, atMs: Date.now() });
      void this.#again(name);
    });
  }

  async #again(name: string, tries = Number.POSITIVE_INFINITY): Promise<void> {
    for (let attempt = 1; !this.#stopping; attempt++) {
      try {
        await this.start(name);
        return;
      } catch (error) {
        // While a server is away a process may not come up.
        if (attempt >= tries) throw error;
        await sleep(Math.min(2_000, 250 * attempt));
      }
    }
  }

  /** Ends a process and starts it again after a while; false where another fault has it already. */
  async restart(name: string, signal: 'SIGKILL' | 'SIGTERM', downMs: number): Promise<boolean> {
    const child = this.#processes.get(name);
    if (!child || this.#down.has(name)) return false;
    this.#down.add(name);
    try {
      if (signal === 'SIGTERM') await child.stop();
      else {
        child.kill(signal);
        await child.exited;
      }
      await sleep(downMs);
    } finally {
      this.#down.delete(name);
    }
    await this.#again(name);
    return true;
  }

  /** Starts a process again so that it strikes itself, wakes it if it froze; false where it never came to that point. */
  async strike(name: string, strike: Strike): Promise<boolean> {
    const child = this.#processes.get(name);
    if (!child || this.#down.has(name)) return false;
    const logFile = join(this.servers.logDir, `strikes-${++this.#strikes}.ndjson`);
    this.#down.add(name);
    child.kill('SIGKILL');
    await child.exited;
    this.#down.delete(name);
    this.#armed.add(name);
    // It may strike before it is ready.
    const isUp = this.start(name, crashEnvironment([strike], logFile)).then(
      () => true,
      () => false,
    );
    try {
      const untilMs = performance.now() + STRIKES_WITHIN_MS;
      while (readStrikes(logFile).length === 0 && performance.now() < untilMs) await sleep(100);
      const [seen] = readStrikes(logFile);
      if (seen && strike.action === 'freeze') {
        await sleep(FROZEN_MS);
        process.kill(seen.pid, 'SIGCONT');
      }
      if (!(await isUp)) await this.#again(name);
      // Armed, it would strike at any time.
      if (!seen) await this.restart(name, 'SIGKILL', 0);
      return seen !== undefined;
    } finally {
      this.#armed.delete(name);
    }
  }

  /** What a power cut leaves of the NATS store: an earlier state of it, or nothing. */
  async loseNatsStore(sinceMs: number | null): Promise<void> {
    const dir = this.servers.dataDir('nats');
    const copy = `${dir}.copy`;
    if (sinceMs !== null) {
      await this.servers.kill('nats', 'SIGSTOP');
      await cp(dir, copy, { recursive: true });
      await this.servers.kill('nats', 'SIGCONT');
      await sleep(sinceMs);
    }
    await this.servers.kill('nats');
    await rm(dir, { recursive: true, force: true });
    if (sinceMs !== null) {
      await cp(copy, dir, { recursive: true });
      await rm(copy, { recursive: true, force: true });
    }
    await this.servers.restart('nats');
  }

  /** Everything runs and answers as it should. */
  async heal(): Promise<void> {
    for (const links of this.#links.values())
      for (const link of Object.values(links)) link.set({ kind: 'open' });
    for (const child of this.#processes.values()) child.kill('SIGCONT');
    await this.simulator.rules(PLAIN_CARRIER);
  }

  async #stopProcesses(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#processes.values()].map((child) => child.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack[Symbol.asyncDispose]();
  }
}

function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

function throughPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.hostname = '127.0.0.1';
  changed.port = String(port);
  return changed.toString();
}
