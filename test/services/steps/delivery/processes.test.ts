import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { totalOf } from '../../../../contracts/outcomes.ts';
import { type Simulator, startSimulator } from '../../../../services/smsc-simulator/simulator.ts';
import type { FaultPoint } from '../../../../services/steps/delivery/faults.ts';
import { testServers } from '../../../support/servers.ts';
import { type DeliveryHost, deliveryHost } from './fixtures/delivery-host.ts';
import { type PreparedBatch, preparedBatch } from './fixtures/prepared-batch.ts';
import type { WorkerPlan } from './fixtures/worker-main.ts';

const CHUNKS = 8;
const CHUNK = 200;
const WINDOW = 50;
/** An intent is worth nothing after this. */
const INTENT_MS = 400;

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

function startWorker(batchId: string, fault: NonNullable<WorkerPlan['fault']>): ChildProcess {
  const { natsUrl, mongoUrl, mongoDatabase, redisUrl } = servers;
  const plan: WorkerPlan = {
    urls: { natsUrl, mongoUrl, mongoDatabase, redisUrl },
    smppPort: simulator.smppPort,
    batchId,
    fault,
  };
  const main = new URL('./fixtures/worker-main.ts', import.meta.url).pathname;
  return spawn(process.execPath, ['--import', 'tsx', main, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** How often each number stands in the ledger, and when it came last. */
function ledger(): Map<string, { times: number; at: number }> {
  const found = new Map<string, { times: number; at: number }>();
  for (const { msisdn, at } of simulator.messages()) {
    found.set(msisdn, { times: (found.get(msisdn)?.times ?? 0) + 1, at });
  }
  return found;
}

/** The ledger and the outcome documents, recipient by recipient. @returns how many are unknown */
async function compare(batch: PreparedBatch): Promise<number> {
  const sent = ledger();
  let unknown = 0;
  const documents = await host.store.outcomes.find({ batchId: batch.batchId }).toArray();
  assert.equal(documents.length, CHUNKS);
  for (const document of documents) {
    assert.equal(totalOf(document.counts), CHUNK);
    for (let position = 0; position < CHUNK; position++) {
      const phone = batch.phoneAt(document.index, position);
      const times = sent.get(phone)?.times ?? 0;
      const status = document.statuses[position];
      assert.ok(times <= 1, `${phone} got it ${times} times`);
      if (status === 'a') assert.equal(times, 1, `${phone} is accepted and never got it`);
      else assert.equal(status, 'u', `${phone} is ${status}`);
      if (status === 'u') unknown += 1;
    }
  }
  return unknown;
}

async function stateOf(child: ChildProcess): Promise<string> {
  return readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.charAt(0);
}

/** Resolves when the process has stopped itself. */
async function frozen(child: ChildProcess): Promise<void> {
  while ((await stateOf(child)) !== 'T') {
    assert.equal(child.exitCode, null);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const points: [FaultPoint, number][] = [
  ['intent:issued', 4],
  ['intent:acknowledged', 4],
  ['outcomes:before', 2],
  ['outcomes:issued', 2],
  ['outcomes:stored', 2],
];

for (const [point, times] of points) {
  test(`kill -9 at ${point}: no one twice, the lost are named`, async () => {
    simulator.reset();
    const batch = await preparedBatch(host.store, {
      batchId: `kill-${point.replace(':', '-')}`,
      chunks: CHUNKS,
      chunkSize: CHUNK,
    });
    const child = startWorker(batch.batchId, { point, times, signal: 'SIGKILL' });
    const [, signal] = await once(child, 'exit');
    assert.equal(signal, 'SIGKILL');
    const outcome = await host.deliver(batch.batchId);
    assert.equal(outcome?.kind, 'done');
    const unknown = await compare(batch);
    assert.ok(unknown <= WINDOW + 2 * CHUNK, `${unknown} unknown`);
    assert.ok(ledger().size >= batch.total - 2 * CHUNK - WINDOW);
  });
}

for (const [point, times] of [points[1]!, points[3]!]) {
  test(`frozen at ${point} while another host takes the task: no one twice`, async () => {
    simulator.reset();
    const batch = await preparedBatch(host.store, {
      batchId: `freeze-${point.replace(':', '-')}`,
      chunks: CHUNKS,
      chunkSize: CHUNK,
    });
    const child = startWorker(batch.batchId, { point, times, signal: 'SIGSTOP' });
    await frozen(child);
    const frozenAt = Date.now();
    const outcome = await host.deliver(batch.batchId);
    assert.equal(outcome?.kind, 'done');
    const waitMs = INTENT_MS + 100 - (Date.now() - frozenAt);
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const before = ledger();
    let said = '';
    child.stdout!.on('data', (data) => {
      said += data;
    });
    const thawedAt = Date.now();
    child.kill('SIGCONT');
    await once(child, 'exit');
    // It finds the other's mark and stops without a word.
    assert.deepEqual(JSON.parse(said), { end: 'lost' });
    await compare(batch);
    // At most the one write that lay between check and socket, which its intent covered.
    const late = [...ledger()].filter(([phone, { at }]) => at >= thawedAt && !before.has(phone));
    assert.ok(late.length <= WINDOW, `${late.length} left after the thaw`);
  });
}
