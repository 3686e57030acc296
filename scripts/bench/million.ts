import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import Table from 'cli-table3';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { build } from '../engine/child-process.ts';
import type { CleanUp } from '../engine/clean-up.ts';
import { startEngine } from '../engine/engine.ts';
import { type Simulator, startSimulator } from '../engine/simulator.ts';
import { createRunDir, newRunId, runtimeDir } from '../servers/runtime-dir.ts';
import { startServers } from '../servers/start-servers.ts';
import { allDelivered, importFile, runBatch } from './engine-batch.ts';
import { writeRecipients } from './recipients-file.ts';
import { peakMb } from './usage.ts';

const SMALL = 100_000;
const LARGE = 1_000_000;
const WINDOW = 100;
const DELIVER_WINDOW = 10_000;
const SAMPLE_MS = 50;

interface SizeResult {
  recipients: number;
  importSeconds: number;
  /** From creation to Succeeded. */
  batchSeconds: number;
  /** Messages a second, as the carrier counted them. */
  firstTenthPerSecond: number;
  lastTenthPerSecond: number;
  /** Peak resident memory of each of our processes, which lived for this size alone. */
  peakMb: Record<string, number>;
}

export interface MillionResults {
  sizes: SizeResult[];
  ratios: Record<string, number>;
}

/** Whether ten times the recipients take more memory, more than their share of time, or slow the sending down. */
export async function runMillion(
  say: (line: string) => void,
  clean: CleanUp,
  sizes: readonly number[] = [SMALL, LARGE],
): Promise<MillionResults> {
  await build();
  const work = await createRunDir(join(runtimeDir(), 'bench'), newRunId());
  await mkdir(work, { recursive: true });
  clean.defer(() => rm(work, { recursive: true, force: true }));
  const servers = clean.use(await startServers({ label: 'bench-million' }));
  say(`Logs: ${servers.logDir}`);
  const simulator = clean.use(
    await startSimulator(servers.logDir, {
      ledger: 'counts',
      behaviour: { receipts: { share: 1 } },
      deliverWindow: DELIVER_WINDOW,
      built: true,
    }),
  );
  const engine = {
    servers,
    providers: [simulator.account({ name: 'million', systemId: 'million', window: WINDOW, receipts: true })],
    env: { TABLE_IMPORT_DIRS: work, LOG_LEVEL: 'info' },
    built: true,
  };
  const results: SizeResult[] = [];
  let first = 0;
  for (const recipients of sizes) {
    say(`${recipients.toLocaleString('en')} recipients, a receipt each`);
    await simulator.reset();
    const host = await startEngine('host', ['batch', 'tables', 'receipts', 'stats'], engine);
    const worker = await startEngine('worker', ['steps'], engine);
    const nc = await connect({ servers: servers.natsUrl });
    try {
      const table = `million${recipients}`;
      const path = join(work, `${table}.csv`);
      await writeRecipients(path, recipients, first);
      first += recipients;
      const importSeconds = await importFile(nc, table, path);
      await rm(path);
      const curve = sampled(simulator);
      const from = performance.now();
      const { id } = await runBatch(nc, table, 'million');
      const batchSeconds = (performance.now() - from) / 1_000;
      const samples = await curve.stop();
      await allDelivered(nc, id, recipients);
      results.push({
        recipients,
        importSeconds,
        batchSeconds,
        firstTenthPerSecond: rateBetween(samples, 0, recipients / 10),
        lastTenthPerSecond: rateBetween(samples, recipients * 0.9, recipients),
        peakMb: { host: peakMb(host.pid), worker: peakMb(worker.pid) },
      });
    } finally {
      await nc.close();
      await worker.stop();
      await host.stop();
    }
  }
  return { sizes: results, ratios: ratiosOf(results) };
}

interface Sample {
  atMs: number;
  messages: number;
}

/** What the carrier has had, over time. */
function sampled(simulator: Simulator): { stop(): Promise<Sample[]> } {
  const samples: Sample[] = [];
  const stopped = new AbortController();
  const running = (async () => {
    while (!stopped.signal.aborted) {
      const { messages = 0 } = await simulator.summary();
      samples.push({ atMs: performance.now(), messages });
      await sleep(SAMPLE_MS, stopped.signal);
    }
  })();
  return {
    async stop() {
      stopped.abort();
      await running;
      const { messages = 0 } = await simulator.summary();
      samples.push({ atMs: performance.now(), messages });
      return samples;
    },
  };
}

function rateBetween(samples: readonly Sample[], from: number, to: number): number {
  return Math.round(((to - from) / (timeOf(samples, to) - timeOf(samples, from))) * 1_000);
}

/** When so many messages had been had, interpolated between two samples. */
function timeOf(samples: readonly Sample[], messages: number): number {
  const at = Math.max(
    1,
    samples.findIndex((sample) => sample.messages >= Math.max(1, messages)),
  );
  const [before, after] = [samples[at - 1]!, samples[at]!];
  const share = (messages - before.messages) / Math.max(1, after.messages - before.messages);
  return before.atMs + share * (after.atMs - before.atMs);
}

function ratiosOf([small, large]: readonly SizeResult[]): Record<string, number> {
  if (!small || !large) return {};
  const seconds = ({ importSeconds, batchSeconds }: SizeResult) => importSeconds + batchSeconds;
  const round = (value: number) => Math.round(value * 100) / 100;
  return {
    time: round(seconds(large) / seconds(small)),
    lastTenthToFirst: round(large.lastTenthPerSecond / large.firstTenthPerSecond),
    ...Object.fromEntries(
      Object.entries(large.peakMb).map(([name, mb]) => [
        `memory of ${name}`,
        round(mb / small.peakMb[name]!),
      ]),
    ),
  };
}

export function printMillion({ sizes, ratios }: MillionResults): void {
  const table = new Table({
    head: ['recipients', 'import s', 'batch s', 'first tenth /s', 'last tenth /s', 'peak MB'],
    style: { head: [], border: [] },
  });
  for (const size of sizes) {
    table.push([
      size.recipients.toLocaleString('en'),
      size.importSeconds.toFixed(1),
      size.batchSeconds.toFixed(1),
      size.firstTenthPerSecond.toLocaleString('en'),
      size.lastTenthPerSecond.toLocaleString('en'),
      Object.entries(size.peakMb)
        .map(([name, mb]) => `${name} ${mb}`)
        .join(', '),
    ]);
  }
  console.log(`\n${table.toString()}`);
  for (const [name, value] of Object.entries(ratios)) console.log(`${name.padEnd(24)} ${value}`);
}
