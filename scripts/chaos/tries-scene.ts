import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { BatchView } from '../../contracts/batch-api.ts';
import { silentLogger } from '../../lib/log/logger.ts';
import { connectMongo } from '../../lib/mongo/connect.ts';
import { type Store, storeOf } from '../../lib/store/collections.ts';
import { ApiError, callApi } from '../engine/api.ts';
import { checkLedger, type LedgerCheck } from '../engine/check-ledger.ts';
import { BUILT, build, type Child } from '../engine/child-process.ts';
import { CleanUp } from '../engine/clean-up.ts';
import { startEngine } from '../engine/engine.ts';
import { type LedgerEntry, type Simulator, startSimulator } from '../engine/simulator.ts';
import { type Servers, startServers } from '../servers/start-servers.ts';
import { importTable } from './tables.ts';

const PROCESSES: Readonly<Record<string, readonly string[]>> = {
  'host-a': ['batch', 'tables', 'receipts', 'stats', 'watcher'],
  'host-b': ['batch', 'tables', 'receipts', 'stats', 'watcher'],
  'worker-a': ['steps'],
  'worker-b': ['steps'],
};
export const HOSTS = ['host-a', 'host-b'];
export const WORKERS = ['worker-a', 'worker-b'];

export interface TriesScene extends AsyncDisposable {
  servers: Servers;
  simulator: Simulator;
  nc: NatsConnection;
  store: Store;
  process(name: string): Child;
  /** Starts one that was killed. */
  start(name: string): Promise<Child>;
  /** A table of the first `rows` numbers. */
  table(name: string, rows: number): Promise<void>;
  /** Creates and starts a batch over a table, its id as its sender; resolves when its delivery runs. */
  begin(id: string, table: string, more: object): Promise<void>;
  /** The rest of these batches goes out at full speed, so that all of the books can be compared. */
  finish(ids: readonly string[]): Promise<void>;
  /** Our books against the carrier's, recipient by recipient. */
  books(ids: readonly string[]): Promise<Books>;
}

export interface Books extends Omit<LedgerCheck, 'examples'> {
  batches: number;
  examples: { batch: string; phone: string; what: string }[];
}

/** Servers, a carrier, two hosts and two workers: for tools that try one promise many times in one run. */
export async function openTriesScene(label: string, behaviour: object): Promise<TriesScene> {
  const stack = new CleanUp();
  try {
    if (process.env[BUILT] !== '1') await build();
    process.env[BUILT] = '1';
    const servers = stack.use(await startServers({ label }));
    const simulator = stack.use(await startSimulator(servers.logDir, { behaviour }));
    const processes = new Map<string, Child>();
    const engine = {
      servers,
      providers: [simulator.account({ window: 200 })],
      env: { HTTP_PORT: '0', HTTP_HOST: '127.0.0.1' },
    };
    const start = async (name: string): Promise<Child> => {
      const child = await startEngine(name, PROCESSES[name]!, engine);
      processes.set(name, child);
      return child;
    };
    stack.defer(() => Promise.all([...processes.values()].map((child) => child.stop())));
    await Promise.all(Object.keys(PROCESSES).map(start));
    const nc = await connect({ servers: servers.natsUrl, maxReconnectAttempts: -1, reconnectTimeWait: 200 });
    stack.defer(() => nc.close());
    const mongo = stack.use(
      await connectMongo({
        url: servers.mongoUrl,
        database: servers.mongoDatabase,
        name: label,
        log: silentLogger(),
      }),
    );
    const store = storeOf(mongo.db);

    async function begin(id: string, table: string, more: object): Promise<void> {
      const batch = {
        name: id,
        content: `Hello from ${id}`,
        sender: id,
        tableStorageName: table,
        providers: ['simulator'],
        ...more,
      };
      await callApi(nc, 'batch', 'create', { id, batch, start: true }, 60_000);
      const states = ['DeliveryRunning', 'Succeeded'];
      await callApi<BatchView>(nc, 'batch', 'wait', { id, states, timeoutMs: 120_000 }, 125_000);
    }

    return {
      servers,
      simulator,
      nc,
      store,
      process: (name) => processes.get(name)!,
      start,
      begin,
      table: (name, rows) => importTable(nc, name, rows),
      async finish(ids) {
        for (const id of ids) {
          try {
            await callApi(nc, 'batch', 'update', { id, patch: { ratePerSecond: 5_000 } });
          } catch (error) {
            if (!(error instanceof ApiError)) throw error;
          }
        }
        for (const id of ids) await callApi(nc, 'batch', 'wait', { id, timeoutMs: 120_000 }, 125_000);
      },
      books: (ids) => compareBooks(store, simulator, ids),
      [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
    };
  } catch (error) {
    await stack[Symbol.asyncDispose]();
    throw error;
  }
}

async function compareBooks(store: Store, simulator: Simulator, ids: readonly string[]): Promise<Books> {
  const pages = new Map<string, LedgerEntry[]>(ids.map((id) => [id, []]));
  for await (const entry of simulator.ledger()) pages.get(entry.sender)?.push(entry);
  const books: Books = {
    batches: ids.length,
    received: 0,
    segments: 0,
    missing: 0,
    unexpected: 0,
    doubled: 0,
    unknownReceived: 0,
    examples: [],
  };
  for (const id of ids) {
    const batch = await store.batches.findOne({ _id: id });
    if (!batch) throw new Error(`batch ${id} is gone`);
    const { examples, ...check } = await checkLedger(
      store,
      { batchId: id, incarnation: batch.incarnation },
      asStream(pages.get(id)!),
    );
    for (const key of Object.keys(check) as (keyof typeof check)[]) books[key] += check[key];
    books.examples.push(...examples.map((each) => ({ batch: id, ...each })));
  }
  return books;
}

async function* asStream(entries: readonly LedgerEntry[]): AsyncGenerator<LedgerEntry> {
  yield* entries;
}

/** Median and largest of what was measured. */
export function figuresOf(values: readonly number[]): { count: number; median: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    count: sorted.length,
    median: Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0),
    max: Math.round(sorted.at(-1) ?? 0),
  };
}
