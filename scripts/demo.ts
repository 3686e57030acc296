import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { jetstream } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { ulid } from 'ulid';
import type { BatchView } from '../contracts/batch-api.ts';
import { totalOf } from '../contracts/outcomes.ts';
import { commandSubject, UPLOADS_STORE } from '../contracts/subjects.ts';
import { sleep } from '../lib/lifecycle/sleep.ts';
import { silentLogger } from '../lib/log/logger.ts';
import { connectMongo } from '../lib/mongo/connect.ts';
import { parseNatsUrl } from '../lib/nats/address.ts';
import { accountOf } from '../lib/stats/account.ts';
import { storeOf } from '../lib/store/collections.ts';
import { followBatch } from './demo/follow-batch.ts';
import { readOptions } from './demo/options.ts';
import { phaseBars } from './demo/progress.ts';
import { writeCsv } from './demo/recipients.ts';
import { type DemoResult, printNext, printReport } from './demo/report.ts';
import { scheduledDemo } from './demo/scheduled.ts';
import { callApi } from './engine/api.ts';
import { checkLedger } from './engine/check-ledger.ts';
import type { Child } from './engine/child-process.ts';
import { CleanUp } from './engine/clean-up.ts';
import { startEngine } from './engine/engine.ts';
import { startSimulator } from './engine/simulator.ts';
import { createRunDir, newRunId, runtimeDir } from './servers/runtime-dir.ts';
import { startServers } from './servers/start-servers.ts';

const options = readOptions(process.argv);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** SMPP window of the demo's account, and the largest window of an intent: what a killed worker may leave unknown. */
const SMPP_WINDOW = 200;
const INTENT_WINDOW = 500;

const CONTENT = 'Hello {{name}}, order {{orderId}} for {{city}} is on its way.{{#note}} {{note}}{{/note}}';

const stack = new CleanUp();
const seconds: Record<string, number> = {};
async function timed<T>(phase: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  try {
    return await work();
  } finally {
    seconds[phase] = (seconds[phase] ?? 0) + (performance.now() - from) / 1000;
  }
}

async function main(): Promise<DemoResult> {
  say('smsbatch demo: servers, a carrier, the engine; then one batch from a file to the last receipt.');
  const work = await createRunDir(join(runtimeDir(), 'demo'), newRunId());
  stack.defer(() => rm(work, { recursive: true, force: true }));
  await mkdir(work, { recursive: true });

  const { servers, simulator, hosts, workers } = await timed('start', startAll);
  const nc = await connect({ servers: parseNatsUrl(servers.natsUrl).servers, maxReconnectAttempts: -1 });
  stack.defer(() => nc.close());

  const file = options.file ?? join(work, 'recipients.csv');
  if (!options.file) {
    const counts = await timed('generate', () =>
      writeCsv(file, { count: options.recipients, seed: options.seed }),
    );
    say(
      `File: ${file}, ${counts.total} rows (${counts.invalid} invalid numbers, ${counts.duplicates} duplicates)`,
    );
  }
  const bars = phaseBars();
  const table = 'demo';
  await timed('import', () => importFile(nc, file, table));

  const batchId = ulid();
  const js = jetstream(nc);
  const command = (verb: string, body: object) =>
    js.publish(commandSubject(batchId, verb), JSON.stringify(body));
  const batch = {
    name: '演示批次 demo',
    tableStorageName: table,
    content: options.file ? 'Hello from smsbatch' : CONTENT,
    contentSignature: ' smsbatch',
    providers: ['simulator'],
    sender: 'smsbatch',
  };
  say(`Batch ${batchId}: nats pub sms.cmd.${batchId}.create …; nats pub sms.cmd.${batchId}.start '{}'`);
  await command('create', { batch, operatorId: 'demo' });
  await command('start', { operatorId: 'demo' });

  const killed: string[] = [];
  const killHalfWay = async (): Promise<void> => {
    const victims = [workers[0]!, hosts[0]!];
    for (const victim of victims) {
      victim.kill('SIGKILL');
      await victim.exited;
      killed.push(victim.name);
    }
    if (!options.cluster) return;
    const leader = await servers.natsCluster.leaderOf('SMS_STEPS');
    await leader?.kill();
    if (leader) killed.push(leader.name);
  };
  const phases = await followBatch(nc, batchId, bars, options.chaos ? killHalfWay : undefined);
  bars.stop();
  Object.assign(seconds, phases);

  return await timed('check', async () => {
    await using mongo = await connectMongo({
      url: servers.mongoUrl,
      database: servers.mongoDatabase,
      name: 'demo',
      log: silentLogger(),
    });
    const store = storeOf(mongo.db);
    const doc = await store.batches.findOne({ _id: batchId });
    if (!doc) throw new Error(`batch ${batchId} is gone`);
    await sleep(1_500);
    const account = await accountOf(store, doc);
    const view = await callApi<BatchView>(nc, 'batch', 'get', { id: batchId });
    const ledger = await checkLedger(store, { batchId, incarnation: doc.incarnation }, simulator.ledger());
    const unknownAllowed = options.chaos ? SMPP_WINDOW + 2 * INTENT_WINDOW : 0;
    const total = doc.size?.total ?? 0;
    const identityHolds =
      totalOf(account.counts) === total && account.counts.pending + account.counts.inFlight === 0;
    const result: DemoResult = {
      ok:
        view.state === 'Succeeded' &&
        identityHolds &&
        ledger.missing + ledger.unexpected + ledger.doubled === 0 &&
        account.counts.unknown <= unknownAllowed,
      batchId,
      state: view.state,
      total,
      counts: account.counts,
      identityHolds,
      ledger,
      receipts: account.receipts,
      unknownAllowed,
      killed,
      seconds,
    };
    printReport(result);
    printNext(servers.natsUrl, batchId, options.keep);
    return result;
  });
}

/** Two hosts and two workers where some are to be killed; else one of each. */
async function startAll() {
  const servers = stack.use(await startServers({ label: 'demo', natsNodes: options.cluster ? 3 : 1 }));
  say(`Logs: ${servers.logDir}`);
  const simulator = stack.use(
    await startSimulator(servers.logDir, {
      behaviour: {
        latencyMs: options.chaos ? 10 : 1,
        rules: [{ suffix: '77', commandStatus: 0x0b }],
        receipts: { share: 1, delayMs: 300, delayJitterMs: 300 },
      },
    }),
  );
  const engine = { servers, providers: [simulator.account({ window: SMPP_WINDOW })] };
  const names = options.chaos ? ['a', 'b'] : ['a'];
  const start = async (name: string, components: readonly string[]): Promise<Child> =>
    stack.use(await startEngine(name, components, engine));
  const [hosts, workers] = await Promise.all([
    Promise.all(
      names.map((name) => start(`host-${name}`, ['batch', 'tables', 'receipts', 'stats', 'watcher'])),
    ),
    Promise.all(names.map((name) => start(`worker-${name}`, ['steps']))),
  ]);
  return { servers, simulator, hosts, workers };
}

/** As `nats object put SMS_UPLOADS file` does, then `sms.api.table.import`. */
async function importFile(nc: NatsConnection, file: string, table: string): Promise<void> {
  const uploads = await new Objm(nc).open(UPLOADS_STORE);
  const name = basename(file);
  await uploads.put({ name }, Readable.toWeb(createReadStream(file)) as ReadableStream<Uint8Array>);
  const report = await callApi(
    nc,
    'table',
    'import',
    { table, source: { kind: 'object', name }, defaultCountry: 'GB', wait: true },
    600_000,
  );
  say(`Import: ${JSON.stringify({ ...report, findings: undefined })}`);
}

const interrupted = new Promise<void>((resolve) => process.once('SIGINT', () => resolve()));
try {
  const ok = options.scheduled ? await runScheduled() : await runBatch();
  if (!ok) process.exitCode = 1;
  if (options.keep) await interrupted;
} catch (error) {
  say(`\nThe demo failed: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await stack[Symbol.asyncDispose]();
}

async function runBatch(): Promise<boolean> {
  const result = await main();
  if (options.json) console.log(JSON.stringify({ ...flat(result) }));
  return result.ok;
}

async function runScheduled(): Promise<boolean> {
  const { result, natsUrl } = await scheduledDemo(stack, say, options.cluster ? 3 : 1);
  if (options.keep) say(`Try next: nats -s ${natsUrl} req sms.api.schedule.list '{}'`);
  if (options.json) console.log(JSON.stringify(result));
  return result.ok;
}

/** Every count of the identity beside what the ledger says, at one level: for scripts that read the last line. */
function flat({ counts, ledger, ...rest }: DemoResult): Record<string, unknown> {
  const { examples: _examples, ...books } = ledger;
  return { ...rest, ...counts, ...books };
}
