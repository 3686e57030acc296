import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { EventBody } from '../../../contracts/events.ts';
import type { DeliveryReceipt } from '../../../contracts/receipts.ts';
import { STREAMS } from '../../../contracts/subjects.ts';
import { seededRandom } from '../../../lib/random/seeded-random.ts';
import { accountOf } from '../../../lib/stats/account.ts';
import { TYPESCRIPT } from '../../../scripts/engine/typescript-loader.ts';
import { type SentBatch, type SentRecipient, sentBatch, storeSentBatch } from '../../support/sent-batch.ts';
import { testServers } from '../../support/servers.ts';
import { until } from '../../support/until.ts';
import { receiptsWorld } from './receipts-world.ts';

const servers = await testServers(['nats', 'mongo']);
const world = await receiptsWorld(servers);
after(async () => {
  await world[Symbol.asyncDispose]();
  await servers.stop();
});

const RECIPIENTS = 3_000;

function campaign(batchId: string) {
  const recipients: SentRecipient[] = Array.from({ length: RECIPIENTS }, (_, i) => ({
    msisdn: String(447_700_000_000 + i),
    ids: [`${batchId}-${i}`],
  }));
  const sent = sentBatch({ batchId, recipients, bucketBits: 4, chunkSize: 50 });
  const random = seededRandom(5);
  const expected: Record<string, string> = {};
  const receipts = recipients.flatMap(({ msisdn, ids }, i): DeliveryReceipt[] => {
    const base = { messageId: ids![0]!, msisdn, atMs: 1_700_000_000_000 + i };
    if (random() < 0.1) {
      expected[msisdn] = 'u';
      return [{ ...base, state: 'undelivered', error: '001' }];
    }
    expected[msisdn] = 'd';
    return [
      { ...base, state: 'enroute' },
      { ...base, state: 'delivered' },
    ];
  });
  const keyed = receipts.map((receipt) => ({ receipt, key: random() })).sort((a, b) => a.key - b.key);
  return { sent, expected, receipts: keyed.map(({ receipt }) => receipt) };
}

async function publish(receipts: readonly DeliveryReceipt[]): Promise<void> {
  for (let at = 0; at < receipts.length; at += 100) await world.publish(receipts.slice(at, at + 100));
}

/** The newest count that was published is what the documents say. */
async function countIsExact(sent: SentBatch): Promise<void> {
  const account = await accountOf(world.store, sent.batch);
  assert.equal(account.receipts.delivered + account.receipts.undelivered, RECIPIENTS);
  await until('the newest recount is exact', async () => {
    const last = await world.nats.jsm.streams.getMessage(STREAMS.events, {
      last_by_subj: `sms.evt.${sent.batchId}.recounted`,
    });
    const { receipts } = last!.json<EventBody<'recounted'>>();
    return JSON.stringify(receipts) === JSON.stringify(account.receipts);
  });
}

function startVictim(): ChildProcess {
  return fork(fileURLToPath(new URL('fixtures/receipts-process.ts', import.meta.url)), {
    execArgv: TYPESCRIPT,
    env: {
      ...process.env,
      NATS_URL: servers.natsUrl,
      MONGODB_URL: servers.mongoUrl,
      MONGODB_DATABASE: servers.mongoDatabase,
    },
  });
}

test('two processes at once: every receipt is joined, none is overwritten, the count is exact', async () => {
  const { sent, expected, receipts } = campaign('two');
  await storeSentBatch(world.store, sent);
  const tuning = { maxMessages: 4, lingerMs: 5 };
  await using one = world.component(tuning, 'one');
  await using other = world.component(tuning, 'other');
  await Promise.all([one.start(), other.start()]);
  await publish(receipts);
  await until('acknowledged', world.drained, 60_000);
  assert.deepEqual(await world.statesOf(sent), expected);
  await countIsExact(sent);
});

test('killed in the middle of rounds: what was not acknowledged comes again, and changes nothing twice', async () => {
  const { sent, expected, receipts } = campaign('killed');
  await storeSentBatch(world.store, sent);
  await publish(receipts);
  const written = async () => world.store.receipts.countDocuments({ batchId: sent.batchId });
  for (let kill = 0; kill < 3; kill++) {
    const victim = startVictim();
    const gone = once(victim, 'exit');
    await once(victim, 'message');
    const before = await written();
    // In the middle of its writing: some chunks of a round are there, others not.
    await until('it writes', async () => (await written()) > before || world.drained(), 20_000);
    victim.kill('SIGKILL');
    await gone;
  }
  await using component = world.component();
  await component.start();
  await until('acknowledged', world.drained, 60_000);
  assert.deepEqual(await world.statesOf(sent), expected);
  await countIsExact(sent);
});
