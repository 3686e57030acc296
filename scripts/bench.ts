import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { Command } from 'commander';
import { type Measured, measured, runProgram } from './bench/contest.ts';
import { allDelivered, importFile, runBatch } from './bench/engine-batch.ts';
import { printMillion, runMillion } from './bench/million.ts';
import { writeRecipients } from './bench/recipients-file.ts';
import { printResults, type Results, resultsOf } from './bench/results.ts';
import { peakMb } from './bench/usage.ts';
import { build } from './engine/child-process.ts';
import { CleanUp } from './engine/clean-up.ts';
import { startEngine } from './engine/engine.ts';
import { startSimulator } from './engine/simulator.ts';
import { createRunDir, newRunId, runtimeDir } from './servers/runtime-dir.ts';
import { startServers } from './servers/start-servers.ts';

const options = new Command('npm run bench --')
  .description(
    'Our delivery and whole batches beside npm smpp and BullMQ: same servers, same run, interleaved.',
  )
  .option('--smoke', 'small, without BullMQ: does it run?', false)
  .option('--million', '100,000 against 1,000,000 recipients: memory, time, rate', false)
  .option('--rounds <n>', 'of which the median counts', Number, 3)
  .option('--json', 'the last line of the output is one JSON object', false)
  .option('--only <letters>', 'of a b c d r e f g', 'abcdrefg')
  .parse()
  .opts<{ smoke: boolean; million: boolean; rounds: number; json: boolean; only: string }>();

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const scale = options.smoke ? 0.02 : 1;
const size = (messages: number): number => Math.round(messages * scale);
const rounds = options.smoke ? 1 : options.rounds;
const wanted = (letter: string): boolean =>
  options.only.includes(letter) && !(options.smoke && letter === 'b');

const WINDOW = 100;
/** The carrier does not wait for our answers to receipts either: npm smpp has no such window. */
const DELIVER_WINDOW = 10_000;
const SLOW_MS = 5;
const RAW = 100_000;
const OWN = 400_000;
const OWN_SLOW = 60_000;
const BULLMQ = 30_000;
const BATCH = 200_000;
/** Larger, since the meter runs until the figures show the last receipt: half a second to one and a half after it was applied. */
const BATCH_RECEIPTS = 400_000;
const BATCH_SLOW = 60_000;

const clean = new CleanUp();

async function main(): Promise<Results> {
  const work = await createRunDir(join(runtimeDir(), 'bench'), newRunId());
  await mkdir(work, { recursive: true });
  clean.defer(() => rm(work, { recursive: true, force: true }));
  await build();
  const servers = clean.use(await startServers({ label: 'bench' }));
  say(`Logs: ${servers.logDir}`);
  const fast = clean.use(
    await startSimulator(servers.logDir, {
      name: 'simulator',
      ledger: 'counts',
      built: true,
      behaviour: { receipts: { share: 1 } },
      deliverWindow: DELIVER_WINDOW,
    }),
  );
  const slow = clean.use(
    await startSimulator(servers.logDir, {
      name: 'simulator-5ms',
      ledger: 'counts',
      built: true,
      behaviour: { latencyMs: SLOW_MS },
    }),
  );
  const account = { window: WINDOW };
  const engine = {
    servers,
    providers: [
      fast.account({ ...account, name: 'plain', systemId: 'plain', receipts: false }),
      fast.account({ ...account, name: 'receipts', systemId: 'receipts', receipts: true }),
      slow.account({ ...account, name: 'slow', receipts: false }),
    ],
    env: { TABLE_IMPORT_DIRS: work, LOG_LEVEL: 'info' },
    built: true,
  };
  const host = clean.use(
    await startEngine('host', ['batch', 'tables', 'receipts', 'stats', 'watcher'], engine),
  );
  const worker = clean.use(await startEngine('worker', ['steps'], engine));
  const nc = await connect({ servers: servers.natsUrl });
  clean.defer(() => nc.close());

  const serverPids = Object.fromEntries(
    servers.started.flatMap(({ name, pid }) => (pid === null ? [] : [[name, pid]])),
  );
  const ours = { host: host.pid, worker: worker.pid };
  const all = { ...serverPids, ...ours, simulator: fast.pid };
  const allSlow = { ...serverPids, ...ours, simulator: slow.pid };

  let first = 0;
  let tables = 0;
  /** A table of its own for each batch: nothing is there before. */
  async function newTable(rows: number): Promise<{ name: string; seconds: number }> {
    const name = `bench${++tables}`;
    const path = join(work, `${name}.csv`);
    await writeRecipients(path, rows, first);
    first += rows;
    const seconds = await importFile(nc, name, path);
    await rm(path);
    return { name, seconds };
  }
  async function deliver(provider: string, rows: number, pids: Record<string, number>): Promise<Measured> {
    const table = await newTable(rows);
    return measured(pids, rows, async (meter) => {
      const ran = await runBatch(nc, table.name, provider, (event) => {
        if (event === 'DeliveryExecute') meter.begin();
        // With receipts the meter runs on until the last of them is applied.
        if (event === 'DeliveryComplete' && provider !== 'receipts') meter.end();
      });
      if (provider === 'receipts') await allDelivered(nc, ran.id, rows);
      return ran.phases.delivery ?? Number.NaN;
    });
  }
  const bareLoop = (kind: string, port: number, messages: number, pid: number) =>
    runProgram(
      'scripts/bench/bare-loop.ts',
      [kind, port, messages, WINDOW],
      { simulator: pid },
      servers.logDir,
      messages,
    );

  const contestants: Record<string, () => Promise<Measured>> = {
    a: () => bareLoop('npm', fast.smppPort, size(RAW), fast.pid),
    b: () => bullmq(),
    c: () => bareLoop('own', fast.smppPort, size(OWN), fast.pid),
    d: () => deliver('plain', size(BATCH), all),
    r: () => deliver('receipts', size(BATCH_RECEIPTS), all),
    e: () => wholeBatch(),
    f: () => bareLoop('own', slow.smppPort, size(OWN_SLOW), slow.pid),
    s: () => deliver('slow', size(BATCH_SLOW), allSlow),
    g: () => importAlone(),
  };

  async function wholeBatch(): Promise<Measured> {
    const rows = size(BATCH);
    const path = join(work, `whole${++tables}.csv`);
    await writeRecipients(path, rows, first);
    first += rows;
    return measured(all, rows, async () => {
      const from = performance.now();
      await importFile(nc, `whole${tables}`, path);
      await runBatch(nc, `whole${tables}`, 'plain');
      return (performance.now() - from) / 1000;
    });
  }
  async function importAlone(): Promise<Measured> {
    const rows = size(BATCH) * 2;
    const path = join(work, `import${++tables}.csv`);
    await writeRecipients(path, rows, first);
    first += rows;
    return measured({ ...serverPids, host: host.pid }, rows, () => importFile(nc, `import${tables}`, path));
  }
  async function bullmq(): Promise<Measured> {
    const redis = await appendOnlyRedis(work);
    try {
      return await runProgram(
        'scripts/bench/bullmq-loop.ts',
        [redis.port, fast.smppPort, size(BULLMQ)],
        { simulator: fast.pid, redis: redis.pid },
        servers.logDir,
        size(BULLMQ),
      );
    } finally {
      await redis.stop();
    }
  }

  const runs = new Map<string, Measured[]>();
  // Round 0 warms up every process; the others are interleaved, so that a slow minute of the machine hits all alike.
  for (let round = options.smoke ? 1 : 0; round <= rounds; round++) {
    for (const [letter, run] of Object.entries(contestants)) {
      if (!wanted(letter === 's' ? 'f' : letter)) continue;
      const result = await run();
      say(`round ${round} ${letter}: ${Math.round(result.messages / result.seconds)}/s`);
      if (round > 0) runs.set(letter, [...(runs.get(letter) ?? []), result]);
    }
  }
  return resultsOf(runs, { host: peakMb(host.pid), worker: peakMb(worker.pid) });
}

/** BullMQ's own store: append-only, synced once a second, as its users are told to run it. */
async function appendOnlyRedis(work: string): Promise<{ port: number; pid: number; stop(): Promise<void> }> {
  const servers = await startServers({
    servers: ['redis'],
    label: 'bench-bullmq',
    dataDir: join(work, `bullmq-${Date.now()}`),
  });
  const { Redis } = await import('ioredis');
  const client = new Redis(servers.redisUrl);
  await client.config('SET', 'appendonly', 'yes');
  await client.config('SET', 'appendfsync', 'everysec');
  await client.quit();
  return {
    port: Number(new URL(servers.redisUrl).port),
    pid: servers.started[0]?.pid ?? 0,
    stop: () => servers.stop(),
  };
}

try {
  if (options.million) {
    const results = await runMillion(say, clean);
    printMillion(results);
    if (options.json) console.log(JSON.stringify(results));
  } else {
    const results = await main();
    printResults(results);
    if (options.json) console.log(JSON.stringify(results));
  }
} catch (error) {
  say(`The bench failed: ${error instanceof Error ? error.stack : error}`);
  process.exitCode = 1;
} finally {
  await clean[Symbol.asyncDispose]();
}
