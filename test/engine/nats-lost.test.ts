import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, it } from 'node:test';
import { engineRig, HOST, type Rig, sumOf, WORKER } from './rig.ts';

const TOTAL = 16_000;

let rig: Rig;
before(async () => {
  rig = await engineRig({
    processes: { 'host-a': HOST, 'host-b': ['batch'], 'worker-a': WORKER, 'worker-b': WORKER },
    behaviour: { latencyMs: 10 },
    account: { receipts: false },
  });
  await rig.table('people', TOTAL);
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

async function untilSent(count: number): Promise<void> {
  while ((await rig.simulator.summary()).messages! < count)
    await new Promise((resolve) => setTimeout(resolve, 10));
}

it('NATS loses its disk in mid-delivery: every process heals, the batch goes on, nobody is sent anything twice', async (t) => {
  const { jetstream } = (await (await fetch(`${rig.servers.natsMonitorUrl}/varz`)).json()) as {
    jetstream: { config: { store_dir: string } };
  };
  const batch = {
    name: 'lost',
    content: 'Hello World',
    tableStorageName: 'people',
    providers: ['simulator'],
    ratePerSecond: 2_000,
  };
  await rig.call('batch', 'create', { id: 'lost', batch, start: true });
  // Without a task, and without a command on the way.
  await rig.call('batch', 'create', { id: 'idle', batch: { ...batch, name: 'idle' } });
  await untilSent(4_000);
  await rig.servers.kill('nats');
  await rm(jetstream.config.store_dir, { recursive: true, force: true });
  await rig.servers.restart('nats');
  const backAt = performance.now();
  // From the system of record: a call could be lost with the connection.
  const isOver = async () => (await rig.store.batches.findOne({ _id: 'lost' }))?.endedAt !== undefined;
  while (!(await isOver()) && performance.now() - backAt < 90_000) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const view = await rig.ended('lost', ['Succeeded'], 1_000);
  t.diagnostic(`the batch ended ${Math.round((performance.now() - backAt) / 1_000)} s after NATS was back`);
  const account = await rig.account('lost');
  assert.equal(sumOf(account), TOTAL);
  assert.equal(view.counts.accepted, TOTAL, JSON.stringify(view.counts));
  const { missing, unexpected, doubled } = await rig.ledger('lost');
  assert.deepEqual({ missing, unexpected, doubled }, { missing: 0, unexpected: 0, doubled: 0 });
  // Files can be uploaded and imported again, too.
  await rig.table('after', 10, 1_000_000);
  await rig.call('batch', 'start', { id: 'idle' });
  await rig.call('batch', 'abort', { id: 'idle' });
  assert.equal((await rig.ended('idle')).state, 'Aborted');
});
