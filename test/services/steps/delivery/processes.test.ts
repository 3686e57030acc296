import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { taskId } from '../../../../contracts/ids.ts';
import { totalOf } from '../../../../contracts/outcomes.ts';
import { TYPESCRIPT } from '../../../../scripts/engine/typescript-loader.ts';
import { type Simulator, startSimulator } from '../../../../services/smsc-simulator/simulator.ts';
import type { FaultPoint } from '../../../../services/steps/delivery/faults.ts';
import { testServers } from '../../../support/servers.ts';
import { type DeliveryHost, deliveryHost } from './fixtures/delivery-host.ts';
import { type PreparedBatch, preparedBatch } from './fixtures/prepared-batch.ts';
import type { WorkerJob, WorkerPlan } from './fixtures/worker-main.ts';

const CHUNKS = 8;
const CHUNK = 200;
const WINDOW = 50;
/** What was in the socket, and two windows of an intent, which go on over the ends of chunks. */
const UNKNOWN_ALLOWED = WINDOW + 2 * 500;
const FROZEN_MS = 8_000;

let servers: Awaited<ReturnType<typeof testServers>>;
let simulator: Simulator;
let host: DeliveryHost;

before(async () => {
  servers = await testServers();
  simulator = await startSimulator({ behaviour: { latencyMs: 5 } });
  host = await deliveryHost({ urls: servers, smppPort: simulator.smppPort, account: { window: WINDOW } });
});
after(async () => {
  await host?.stop();
  await simulator?.stop();
  await servers?.stop();
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let batches = 0;
/** Every batch has numbers of its own: many are sent at the same time. */
function batchOf(batchId: string): Promise<PreparedBatch> {
  const from = 447_700_000_000 + batches++ * CHUNKS * 1_000;
  const phone = (index: number, position: number) => String(from + index * 1_000 + position);
  return preparedBatch(host.store, { batchId, chunks: CHUNKS, chunkSize: CHUNK, phone });
}

interface Worker {
  child: ChildProcess;
  /** How its next batch ended. */
  nextEnd(): Promise<string>;
}

function startWorker(jobs: WorkerJob[], point: FaultPoint, times: number): Worker {
  const { natsUrl, mongoUrl, mongoDatabase, redisUrl } = servers;
  const plan: WorkerPlan = {
    urls: { natsUrl, mongoUrl, mongoDatabase, redisUrl },
    smppPort: simulator.smppPort,
    jobs,
    point,
    times,
  };
  const main = new URL('./fixtures/worker-main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [...TYPESCRIPT, main, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { child, nextEnd: async () => JSON.parse((await lines.next()).value ?? '{}').end };
}

interface Sent {
  times: number;
  lastAt: number;
}

/** How often each number of a batch stands in the ledger, and when it came last. */
function ledgerOf(batch: PreparedBatch): Map<string, Sent> {
  const found = new Map<string, Sent>();
  for (let index = 0; index < CHUNKS; index++) {
    for (let position = 0; position < CHUNK; position++) {
      found.set(batch.phoneAt(index, position), { times: 0, lastAt: 0 });
    }
  }
  for (const { msisdn, at } of simulator.messages()) {
    const sent = found.get(msisdn);
    if (!sent) continue;
    sent.times += 1;
    sent.lastAt = at;
  }
  return found;
}

/** The ledger and the outcome documents, recipient by recipient: no one twice, and only the unknown may have got nothing. */
async function compare(batch: PreparedBatch): Promise<void> {
  const ledger = ledgerOf(batch);
  let unknown = 0;
  const documents = await host.store.outcomes.find({ batchId: batch.batchId }).toArray();
  assert.equal(documents.length, CHUNKS);
  for (const document of documents) {
    assert.equal(totalOf(document.counts), CHUNK);
    for (let position = 0; position < CHUNK; position++) {
      const phone = batch.phoneAt(document.index, position);
      const { times } = ledger.get(phone)!;
      const status = document.statuses[position];
      assert.ok(times <= 1, `${phone} got it ${times} times`);
      if (status === 'a') assert.equal(times, 1, `${phone} is accepted and never got it`);
      else assert.equal(status, 'u', `${phone} is ${status}`);
      if (status === 'u') unknown += 1;
    }
  }
  assert.ok(unknown <= UNKNOWN_ALLOWED, `${unknown} unknown`);
}

function stateOf(child: ChildProcess): string {
  return readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.charAt(0);
}

/** Resolves when the process has stopped itself. */
async function frozen({ child }: Worker): Promise<void> {
  while (stateOf(child) !== 'T') {
    assert.equal(child.exitCode, null);
    await sleep(20);
  }
}

/** The write at which the process has stopped, or died, has left it: the journal has taken it. */
async function intentArrived({ batchId, incarnation }: PreparedBatch, intents: number): Promise<void> {
  const _id = taskId(batchId, incarnation, 'delivery', 0);
  const deadlineAt = performance.now() + 30_000;
  for (;;) {
    const task = await host.store.tasks.findOne({ _id });
    if (task?.progressVersion === intents) return;
    assert.ok(performance.now() < deadlineAt, `the journal is at ${task?.progressVersion}`);
    await sleep(20);
  }
}

const points: [FaultPoint, number][] = [
  ['intent:issued', 4],
  ['intent:acknowledged', 4],
  ['outcomes:before', 2],
  ['outcomes:issued', 2],
  ['outcomes:stored', 2],
];

// Frozen processes cost nothing: all points at the same time.
describe('a worker around an intent and an outcome write', { concurrency: 2 * points.length }, () => {
  for (const [point, times] of points) {
    const name = point.replace(':', '-');

    test(`frozen for 8 s at ${point} while another takes the task, then killed there`, async () => {
      const freeze = await batchOf(`freeze-${name}`);
      const kill = await batchOf(`kill-${name}`);
      const jobs: WorkerJob[] = [
        { batchId: freeze.batchId, signal: 'SIGSTOP' },
        { batchId: kill.batchId, signal: 'SIGKILL' },
      ];
      const worker = startWorker(jobs, point, times);
      const died = once(worker.child, 'exit');
      await frozen(worker);
      const thaw = sleep(FROZEN_MS);
      if (point === 'intent:issued') await intentArrived(freeze, times);
      const taken = await host.deliver(freeze.batchId);
      assert.equal(taken?.kind, 'done');
      await thaw;
      const before = ledgerOf(freeze);
      const thawedAt = Date.now();
      worker.child.kill('SIGCONT');
      // It finds the other's mark and stops without a word.
      assert.equal(await worker.nextEnd(), 'lost');

      const [, signal] = await died;
      assert.equal(signal, 'SIGKILL');
      await compare(freeze);
      // At most the one write that lay between check and socket, which its intent covered.
      const late = [...ledgerOf(freeze)].filter(
        ([phone, { times, lastAt }]) => times > 0 && lastAt >= thawedAt && before.get(phone)!.times === 0,
      );
      assert.ok(late.length <= WINDOW, `${late.length} left after the thaw`);

      if (point === 'intent:issued') await intentArrived(kill, times);
      const resumed = await host.deliver(kill.batchId);
      assert.equal(resumed?.kind, 'done');
      await compare(kill);
    });
  }

  for (const [point, times] of [points[0]!, points[3]!]) {
    test(`frozen for 8 s at ${point}, and no one takes the task: it goes on`, async () => {
      const batch = await batchOf(`alone-${point.replace(':', '-')}`);
      const worker = startWorker([{ batchId: batch.batchId, signal: 'SIGSTOP' }], point, times);
      const exited = once(worker.child, 'exit');
      await frozen(worker);
      await sleep(FROZEN_MS);
      worker.child.kill('SIGCONT');
      assert.equal(await worker.nextEnd(), 'done');
      await exited;
      await compare(batch);
    });
  }
});
