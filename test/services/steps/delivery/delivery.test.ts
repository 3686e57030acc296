import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { noOutcomes, totalOf } from '../../../../contracts/outcomes.ts';
import type { OutcomeDocument } from '../../../../lib/store/chunk-documents.ts';
import { type Simulator, startSimulator } from '../../../../services/smsc-simulator/simulator.ts';
import { testServers } from '../../../support/servers.ts';
import { type DeliveryHost, deliveryHost } from './fixtures/delivery-host.ts';
import { preparedBatch } from './fixtures/prepared-batch.ts';

let servers: Awaited<ReturnType<typeof testServers>>;
let simulator: Simulator;
let host: DeliveryHost;

before(async () => {
  servers = await testServers();
  simulator = await startSimulator();
  host = await deliveryHost({ urls: servers, smppPort: simulator.smppPort });
});
after(async () => {
  await host?.stop();
  await simulator?.stop();
  await servers?.stop();
});

const outcomesOf = (batchId: string): Promise<OutcomeDocument[]> =>
  host.store.outcomes.find({ batchId }, { sort: { index: 1 } }).toArray();

/** How often each number stands in the simulator's ledger. */
function ledger(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { msisdn } of simulator.messages()) {
    counts.set(msisdn, (counts.get(msisdn) ?? 0) + 1);
  }
  return counts;
}

test('every pending recipient of a batch is sent once, and its outcome stored', async () => {
  simulator.reset();
  const batch = await preparedBatch(host.store, {
    batchId: 'plain',
    chunks: 5,
    chunkSize: 200,
    statuses: (_, position) => (position === 3 ? 'd' : position === 4 ? 'i' : 'p'),
    text: (index, position) => `Hello ${index} ${position}${position % 50 === 0 ? ' 你好' : ''}`,
  });
  const outcome = await host.deliver('plain');
  assert.ok(outcome?.kind === 'done');
  assert.deepEqual(outcome.result?.counts, { ...noOutcomes(), accepted: 990, duplicate: 5, invalid: 5 });
  assert.equal(outcome.result?.segments, 990);
  const sent = ledger();
  assert.equal(sent.size, 990);
  for (const document of await outcomesOf('plain')) {
    assert.equal(totalOf(document.counts), 200);
    assert.equal(document.counts.accepted, 198);
    assert.equal(document.provider, 'sim');
    for (let i = 0; i < 200; i++) {
      const times = sent.get(batch.phoneAt(document.index, i)) ?? 0;
      assert.equal(times, document.statuses[i] === 'a' ? 1 : 0);
    }
    assert.equal(document.ids.split('\n').filter((id) => id !== '').length, 198);
  }
  const task = await host.store.tasks.findOne({ batchId: 'plain' });
  assert.equal(task?.done, true);
  assert.deepEqual(task?.facts, []);
});
