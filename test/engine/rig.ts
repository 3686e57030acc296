import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { BatchView } from '../../contracts/batch-api.ts';
import type { ErrorBody } from '../../contracts/errors.ts';
import { totalOf } from '../../contracts/outcomes.ts';
import { commandSubject } from '../../contracts/subjects.ts';
import { silentLogger } from '../../lib/log/logger.ts';
import { connectMongo } from '../../lib/mongo/connect.ts';
import { parseNatsUrl } from '../../lib/nats/address.ts';
import { type Account, accountOf } from '../../lib/stats/account.ts';
import { type Store, storeOf } from '../../lib/store/collections.ts';
import { ApiError, callApi } from '../../scripts/engine/api.ts';
import { checkLedger, type LedgerCheck } from '../../scripts/engine/check-ledger.ts';
import type { Child } from '../../scripts/engine/child-process.ts';
import { CleanUp } from '../../scripts/engine/clean-up.ts';
import { startEngine } from '../../scripts/engine/engine.ts';
import { importNumbers } from '../../scripts/engine/import-numbers.ts';
import { type Simulator, startSimulator } from '../../scripts/engine/simulator.ts';
import type { Servers } from '../../scripts/servers/start-servers.ts';
import { assertFitsSchema } from '../support/fits-schema.ts';
import { testServers } from '../support/servers.ts';
import { type EventLog, eventLog } from './event-log.ts';

export const HOST = ['batch', 'tables', 'receipts', 'stats', 'watcher'];
export const WORKER = ['steps'];

export interface RigOptions {
  behaviour?: object;
  /** Fields of the carrier's account. */
  account?: object;
  /** Name → components. By default two batch hosts, one of which also works. */
  processes?: Record<string, readonly string[]>;
  env?: Record<string, string>;
  /** For tests that pause the MongoDB-compatible server or kill it. */
  ownMongo?: boolean;
  /** 3: on a cluster, each stream with three copies. */
  natsNodes?: number;
}

/** The product as its users have it: servers, a carrier, processes of the engine; and a client of each. */
export interface Rig extends AsyncDisposable {
  servers: Servers;
  simulator: Simulator;
  nc: NatsConnection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  store: Store;
  events: EventLog;
  /** By name; a process that was killed stays here until it is started again. */
  processes: Map<string, Child>;
  /** Starts a process, or one that was killed again under its name. */
  start(name: string, components: readonly string[]): Promise<Child>;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the answer holds
  call<T = any>(noun: string, verb: string, body?: object, timeoutMs?: number): Promise<T>;
  /** The error that the API answers with. @throws when it answers with something else */
  refusal(noun: string, verb: string, body?: object): Promise<ErrorBody>;
  /** `nats pub sms.cmd.<id>.<verb>`, stored. */
  command(id: string, verb: string, body?: object | string | Uint8Array): Promise<void>;
  /** Imports a file of `count` numbers, from `from` on: placed at once, so that a batch has its tasks. */
  table(name: string, count: number, from?: number): Promise<void>;
  /** What became of a batch, with its history: waits for one of the states (default: its end). */
  ended(id: string, states?: string[], withinMs?: number): Promise<BatchView>;
  account(id: string): Promise<Account>;
  ledger(id: string): Promise<LedgerCheck>;
}

/** A valid British mobile number for each index below ten million. */
export const phoneOf = (index: number): string => `+4473${String(index).padStart(8, '0')}`;

export async function engineRig(options: RigOptions = {}): Promise<Rig> {
  const { behaviour = {}, account = {}, env = {}, ownMongo = false, natsNodes = 1 } = options;
  const chosen = options.processes ?? { 'host-a': HOST, 'host-b': ['batch', 'steps'] };
  const stack = new CleanUp();
  try {
    const servers = stack.use(await testServers(undefined, { ownMongo, natsNodes }));
    const simulator = stack.use(await startSimulator(servers.logDir, { behaviour }));
    const processes = new Map<string, Child>();
    const engine = { servers, providers: [simulator.account(account)], env };
    const start = async (name: string, components: readonly string[]): Promise<Child> => {
      const child = await startEngine(name, components, engine);
      processes.set(name, child);
      return child;
    };
    stack.defer(() => Promise.all([...processes.values()].map((child) => child.stop())));
    await Promise.all(Object.entries(chosen).map(([name, components]) => start(name, components)));
    const nc = await connect({
      servers: parseNatsUrl(servers.natsUrl).servers,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 200,
      // A frozen server is left after 6 s.
      pingInterval: 2_000,
      maxPingOut: 2,
    });
    stack.defer(() => nc.close());
    const mongo = stack.use(
      await connectMongo({
        url: servers.mongoUrl,
        database: servers.mongoDatabase,
        name: 'test',
        log: silentLogger(),
      }),
    );
    const store = storeOf(mongo.db);
    const js = jetstream(nc);
    const jsm = await jetstreamManager(nc);
    const events = await eventLog(nc);

    const docOf = async (id: string) => {
      const doc = await store.batches.findOne({ _id: id });
      if (!doc) throw new Error(`there is no batch ${id}`);
      return doc;
    };
    const rig: Rig = {
      servers,
      simulator,
      nc,
      js,
      jsm,
      store,
      events,
      processes,
      start,
      async call(noun, verb, body, timeoutMs) {
        const answer = await callApi(nc, noun, verb, body, timeoutMs);
        assertFitsSchema(noun, verb, answer);
        // biome-ignore lint/suspicious/noExplicitAny: as above
        return answer as any;
      },
      async refusal(noun, verb, body) {
        try {
          const answer = await callApi(nc, noun, verb, body);
          throw new Error(`${noun}.${verb} was obeyed: ${JSON.stringify(answer)}`);
        } catch (error) {
          if (error instanceof ApiError) return error.body;
          throw error;
        }
      },
      async command(id, verb, body = {}) {
        const data = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
        await js.publish(commandSubject(id, verb), data);
      },
      async table(name, count, from = 0) {
        const numbers = Array.from({ length: count }, (_, index) => phoneOf(from + index));
        const report = await importNumbers(nc, name, numbers, 60_000);
        if (report.rows !== count) throw new Error(`${name}: ${JSON.stringify(report)}`);
      },
      async ended(id, states, withinMs = 120_000) {
        const request = { id, timeoutMs: withinMs, ...(states && { states }) };
        await callApi(nc, 'batch', 'wait', request, withinMs + 5_000);
        return callApi<BatchView>(nc, 'batch', 'get', { id });
      },
      account: async (id) => accountOf(store, await docOf(id)),
      ledger: async (id) =>
        checkLedger(store, { batchId: id, incarnation: (await docOf(id)).incarnation }, simulator.ledger()),
      [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
    };
    return rig;
  } catch (error) {
    await stack[Symbol.asyncDispose]();
    throw error;
  }
}

/** Sum of all outcomes; the identity holds when it is the total. */
export const sumOf = (account: Account): number => totalOf(account.counts);
