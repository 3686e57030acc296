import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { publishedMarks } from '../../lib/actor/published-marks.ts';
import { commandClient } from '../../lib/batch/command-client.ts';
import { readConfig } from '../../lib/config/read-config.ts';
import { serverConfig } from '../../lib/config/server-config.ts';
import { healthServer } from '../../lib/health/health-server.ts';
import { withTimeout } from '../../lib/lifecycle/deadline.ts';
import { loopPart } from '../../lib/lifecycle/loop.ts';
import { group, type Part, part, together } from '../../lib/lifecycle/part.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { silentLogger } from '../../lib/log/logger.ts';
import { createRegistry } from '../../lib/metrics/registry.ts';
import { connectMongo } from '../../lib/mongo/connect.ts';
import { connectNats } from '../../lib/nats/connect.ts';
import { fetchLoop } from '../../lib/nats/fetch-loop.ts';
import { serveApi } from '../../lib/nats/micro.ts';
import { publisher } from '../../lib/nats/publish.ts';
import { pullLoop } from '../../lib/nats/pull-loop.ts';
import { presence } from '../../lib/presence/presence.ts';
import { seededRandom } from '../../lib/random/seeded-random.ts';
import { connectRedis } from '../../lib/redis/connect.ts';
import type { Component, Surroundings } from '../../lib/service/component.ts';
import { surroundings } from '../../lib/service/surroundings.ts';
import { SmppSession } from '../../lib/smpp/session.ts';
import { callApi } from '../../scripts/engine/api.ts';
import { startChild } from '../../scripts/engine/child-process.ts';
import type { Servers } from '../../scripts/servers/start-servers.ts';
import { batch } from '../../services/batch/main.ts';
import { receipts } from '../../services/receipts/main.ts';
import { scheduler } from '../../services/scheduler/main.ts';
import { type Simulator, startSimulator } from '../../services/smsc-simulator/simulator.ts';
import { stats } from '../../services/stats/main.ts';
import { steps } from '../../services/steps/main.ts';
import { tables } from '../../services/tables/main.ts';
import { watcher } from '../../services/watcher/main.ts';
import { HOST, WORKER } from '../engine/rig.ts';
import { testServers } from '../support/servers.ts';
import { until } from '../support/until.ts';
import { left, openInProcess, openOn } from './open-things.ts';

/** A stop waits for pulls, and for a carrier that does not answer; never for more. */
const STOP_WITHIN_MS = 30_000;
const ROUNDS = 5;

/** What is started and stopped. A Part, or something that a part holds. */
interface LongLived {
  start(): unknown;
  stop(): unknown;
}

interface Maker {
  make(around: Surroundings): LongLived;
  /** Its server never comes: a start ends by its stop only. */
  neverStarts?: boolean;
}

const log = silentLogger();
let servers: Servers;
let simulator: Simulator;
/** Accepts connections and says nothing. */
let mute: Server;
let folder: string;
let closedPort: number;

const portOf = (server: Server): number => (server.address() as { port: number }).port;
const listening = (server: Server): Promise<Server> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));

before(async () => {
  servers = await testServers();
  simulator = await startSimulator();
  mute = await listening(createServer((socket) => socket.resume().on('error', () => {})));
  const gone = await listening(createServer());
  closedPort = portOf(gone);
  await new Promise((resolve) => gone.close(resolve));
  folder = await mkdtemp(join(tmpdir(), 'smsbatch-folder-'));
});
after(async () => {
  await new Promise((resolve) => mute?.close(resolve) ?? resolve(undefined));
  await rm(folder, { recursive: true, force: true });
  await simulator?.stop();
  await servers?.stop();
});

const environment = (): Record<string, string> => ({
  NATS_URL: servers.natsUrl,
  MONGODB_URL: servers.mongoUrl,
  MONGODB_DATABASE: servers.mongoDatabase,
  REDIS_ADDR: servers.redisUrl,
  WATCHER_FOLDERS: JSON.stringify([
    { name: 'drop', path: folder, template: { name: 'dropped', content: 'Hello World' } },
  ]),
  SMSBATCH_PROVIDERS: JSON.stringify(
    [simulator.smppPort, closedPort].map((port, index) => ({
      name: `carrier-${index}`,
      kind: 'smpp',
      host: '127.0.0.1',
      port,
      systemId: 'demo',
      password: 'demo',
      sessions: 2,
    })),
  ),
});

function surroundingsFor(name: string) {
  const env = environment();
  const config = readConfig(serverConfig, env);
  const registry = createRegistry({ service: name, version: '0', processMetrics: false });
  return surroundings({ config, env, hostId: name.replaceAll(/\W/g, '-'), registry, log });
}

const held = (
  name: string,
  open: (signal: AbortSignal) => Promise<AsyncDisposable> | AsyncDisposable,
): Part =>
  part(name, async ({ use, signal }) => {
    use(await open(signal));
  });

const session = (port: () => number): Maker => ({
  make: () =>
    new SmppSession<unknown>(
      {
        host: '127.0.0.1',
        port: port(),
        bindType: 'transceiver',
        systemId: 'demo',
        password: 'demo',
        window: 10,
        unbindTimeoutMs: 500,
      },
      { onAnswer: () => {} },
    ),
});

const component = (each: Component): Maker => ({ make: (around) => each.start(around) });

const consumer = async ({ nats }: Surroundings, name: string) => {
  await nats.jsm.streams.add({ name: 'LIFE', subjects: ['life.>'] }).catch(() => {});
  await nats.jsm.consumers.add('LIFE', { durable_name: name, ack_policy: 'explicit' });
};

const MAKERS: Record<string, Maker> = {
  'a loop': { make: () => loopPart('loop', () => sleep(20), { log, pauseMs: 5 }) },
  'a group': {
    make: () =>
      group('group', [
        loopPart('first', () => sleep(5), { log }),
        together('side by side', [
          loopPart('a', () => sleep(5), { log }),
          loopPart('b', () => sleep(5), { log }),
        ]),
      ]),
  },
  'a pull loop': {
    make: (around) =>
      pullLoop({
        nats: around.nats,
        stream: 'LIFE',
        consumer: 'pulled',
        log,
        concurrency: 3,
        handle: async () => 'ack',
        ensure: () => consumer(around, 'pulled'),
      }),
  },
  'a fetch loop': {
    make: (around) =>
      fetchLoop({
        nats: around.nats,
        stream: 'LIFE',
        consumer: 'fetched',
        log,
        maxMessages: 10,
        lingerMs: 5,
        handle: async () => 'ack',
        ensure: () => consumer(around, 'fetched'),
      }),
  },
  presence: {
    make: ({ nats, hostId }) => presence({ nats, subject: 'sms.presence.life', hostId, log }),
  },
  'an API': {
    make: ({ nats }) =>
      serveApi(nats.nc, { name: 'smsbatch-life', version: '0.0.0', description: '', endpoints: [], log }),
  },
  'replies to commands': { make: ({ nats }) => commandClient(nats.nc, publisher(nats)) },
  'published marks': { make: ({ store }) => publishedMarks(store.batches, log) },
  'the health server': {
    make: ({ registry, hostId }) =>
      healthServer({ port: 0, host: '127.0.0.1', service: 'life', version: '0', hostId, registry, log }),
  },
  'a connection to NATS': {
    make: () => held('nats', (signal) => connectNats({ url: servers.natsUrl, name: 'life', log, signal })),
  },
  'a connection to MongoDB': {
    make: () =>
      held('mongo', (signal) =>
        connectMongo({ url: servers.mongoUrl, database: 'life', name: 'life', log, signal }),
      ),
  },
  'a connection to Redis': {
    make: () => held('redis', () => connectRedis({ addr: servers.redisUrl, name: 'life', log })),
  },
  'a connection to a Redis that is not there': {
    make: () => held('redis', () => connectRedis({ addr: `127.0.0.1:${closedPort}`, name: 'life', log })),
  },
  'a connection to a NATS that is not there': {
    neverStarts: true,
    make: () =>
      held('nats', (signal) =>
        connectNats({ url: `nats://127.0.0.1:${closedPort}`, name: 'life', log, signal }),
      ),
  },
  'a connection to a MongoDB that is not there': {
    neverStarts: true,
    make: () =>
      held('mongo', (signal) =>
        connectMongo({
          url: `mongodb://127.0.0.1:${closedPort}`,
          database: 'life',
          name: 'life',
          log,
          signal,
        }),
      ),
  },
  'what a process shares': { make: () => surroundingsFor('inner') },
  'an SMPP session': session(() => simulator.smppPort),
  'an SMPP session that is refused': session(() => closedPort),
  'an SMPP session that nobody answers': session(() => portOf(mute)),
  'the simulator': { make: () => held('simulator', () => startSimulator()) },
  tables: component(tables),
  batch: component(batch),
  steps: component(steps),
  receipts: component(receipts),
  stats: component(stats),
  scheduler: component(scheduler),
  watcher: component(watcher),
};

/** Of a start that a stop may cut short: it ends, one way or the other. */
const settled = async (start: unknown): Promise<void> => {
  await Promise.resolve(start).catch(() => {});
};

function started(each: LongLived): Promise<unknown> {
  const starting = (async () => each.start())();
  starting.catch(() => {});
  return starting;
}

/** One way to be started and stopped; the thing may be running or not when it begins. */
const ORDERS: Record<string, (each: LongLived, random: () => number) => Promise<unknown>> = {
  stop: async (each) => each.stop(),
  'stop twice': (each) => Promise.all([each.stop(), each.stop()]),
  'stop while starting': async (each, random) => {
    const starting = started(each);
    await sleep(random() < 0.3 ? 0 : random() * 60);
    await each.stop();
    await settled(starting);
  },
  'stop twice while starting': async (each, random) => {
    const starting = started(each);
    await sleep(random() * 20);
    await Promise.all([each.stop(), each.stop()]);
    await settled(starting);
  },
};
/** Of what may start, and then runs. */
const ORDERS_OF_STARTED: typeof ORDERS = {
  'start while stopping': async (each) => {
    const stopping = each.stop();
    await Promise.all([stopping, settled(started(each))]);
  },
  start: (each) => started(each),
  'start twice': (each) => Promise.all([started(each), started(each)]),
};

async function stress(each: LongLived, random: () => number, neverStarts: boolean): Promise<void> {
  const orders = Object.entries({ ...ORDERS, ...(neverStarts ? {} : ORDERS_OF_STARTED) });
  const said: string[] = ['stop before start'];
  const within = <T>(promise: Promise<T>) => withTimeout(promise, STOP_WITHIN_MS, `after ${said.join(', ')}`);
  await within(Promise.resolve(each.stop()));
  for (let round = 0; round < ROUNDS; round++) {
    const [name, order] = orders[Math.floor(random() * orders.length)]!;
    said.push(name);
    await within(order(each, random));
  }
  if (!neverStarts) {
    said.push('start at last');
    await within(each.stop() as Promise<void>);
    await within(started(each));
  }
  await within(Promise.all([each.stop(), each.stop()]));
}

describe('every long-lived part, started and stopped in any order', () => {
  let open: Record<string, number>;
  before(() => {
    open = openInProcess();
  });
  after(async () => {
    const rest = () => left(open, openInProcess());
    await until('timers, sockets and listeners are gone', async () => rest().length === 0, 60_000).catch(() =>
      assert.deepEqual(rest(), []),
    );
  });

  describe('side by side', { concurrency: 14 }, () => {
    Object.entries(MAKERS).forEach(([name, { make, neverStarts = false }], index) => {
      it(`${name}, seed ${index}`, async () => {
        await using around = surroundingsFor(name);
        await around.start();
        await around.get().redis.whenReady(5_000);
        const before = openOn(around.get());
        await stress(make(around.get()), seededRandom(index), neverStarts);
        assert.deepEqual(left(before, openOn(around.get())), []);
      });
    });
  });
});

describe('a process that gets SIGTERM at any instant of its start', () => {
  const STARTS = 10;
  const AT_A_TIME = 3;
  /** SHUTDOWN_TIMEOUT_MS; what takes longer ends with 1. */
  const EXIT_WITHIN_MS = 20_000;
  const engine = (name: string) => ({
    name,
    script: 'services/main.ts',
    args: [...HOST, ...WORKER, 'scheduler'],
    logDir: servers.logDir,
    env: { ...environment(), HOST_ID: name },
  });

  it('exits with 0, and the next one starts and works', async () => {
    const random = seededRandom(9);
    // How long a start takes, here and now.
    const first = await startChild({ ...engine('first'), isReady: ({ msg }) => msg === 'starting' });
    const sinceMs = performance.now();
    await until('ready', async () => readFileSync(first.logFile, 'utf8').includes('"msg":"ready"'), 60_000);
    const tookMs = performance.now() - sinceMs;
    await first.stop();
    let started = 0;
    const lane = async () => {
      while (started < STARTS) {
        const name = `stopped-${started++}`;
        const child = await startChild({ ...engine(name), isReady: ({ msg }) => msg === 'starting' });
        const waitMs = random() * tookMs;
        await sleep(waitMs);
        child.kill('SIGTERM');
        const code = await withTimeout(child.exited, EXIT_WITHIN_MS, `${name}: exit after ${waitMs} ms`);
        assert.equal(code, 0, `${name} after ${waitMs} ms: ${child.logFile}`);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, lane));
    await using last = await startChild({ ...engine('last'), isReady: ({ msg }) => msg === 'ready' });
    await using around = surroundingsFor('client');
    await around.start();
    const { nc } = around.get().nats;
    const batch = {
      name: 'after',
      content: 'Hello World',
      providers: ['carrier-0'],
      recipients: [{ phone: '+447300000001' }],
    };
    await callApi(nc, 'batch', 'create', { id: 'after', batch, start: true });
    const { state } = await callApi(nc, 'batch', 'wait', { id: 'after', timeoutMs: 60_000 }, 65_000);
    assert.equal(state, 'Succeeded');
    await last.stop();
    assert.equal(await last.exited, 0);
  });
});
