import assert from 'node:assert/strict';
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { statsKey } from '../../lib/stats/hash.ts';
import { checkLedger, type LedgerCheck } from '../../scripts/engine/check-ledger.ts';
import type { LedgerEntry } from '../../scripts/engine/simulator.ts';
import type { ServerName } from '../../scripts/servers/start-servers.ts';
import { until } from '../support/until.ts';
import { engineRig, HOST, phoneOf, type Rig, sumOf, WORKER } from './rig.ts';

const TOTAL = 4_000;
const WITHIN_MS = 60_000;

const PROCESSES: Record<string, readonly string[]> = {
  'host-a': HOST,
  'worker-a': WORKER,
  'worker-b': WORKER,
};

const definition = (name: string, ratePerSecond = 1_500) => ({
  name,
  content: 'Hello World',
  tableStorageName: name,
  providers: ['simulator'],
  ratePerSecond,
});

const NOBODY = { missing: 0, unexpected: 0, doubled: 0 };

let rig: Rig;
/** Each batch has numbers of its own. */
const firstIndex = new Map<string, number>();
before(async () => {
  rig = await engineRig({
    processes: PROCESSES,
    behaviour: { latencyMs: 10 },
    account: { receipts: false },
    ownMongo: true,
  });
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

async function create(id: string, start = true, ratePerSecond?: number): Promise<void> {
  firstIndex.set(id, TOTAL * firstIndex.size);
  await rig.table(id, TOTAL, firstIndex.get(id));
  await rig.call('batch', 'create', { id, batch: definition(id, ratePerSecond), start });
}

const accepted = (id: string) =>
  until(`${id} has sent a third`, async () => (await rig.account(id)).counts.accepted > TOTAL / 3, WITHIN_MS);

const copyOf = (name: ServerName) => join(rig.servers.logDir, `copy-of-${name}`);

async function takeCopy(name: ServerName): Promise<void> {
  await rm(copyOf(name), { recursive: true, force: true });
  await cp(rig.servers.dataDir(name), copyOf(name), { recursive: true });
}

/** Its folder is as it was then; or empty. */
async function putBack(name: ServerName, from: 'copy' | 'nothing'): Promise<void> {
  await rig.servers.kill(name);
  await rm(rig.servers.dataDir(name), { recursive: true, force: true });
  if (from === 'copy') await cp(copyOf(name), rig.servers.dataDir(name), { recursive: true });
  else await mkdir(rig.servers.dataDir(name));
}

async function killProcesses(): Promise<void> {
  await Promise.all(
    [...rig.processes.values()].map((child) => {
      child.kill('SIGKILL');
      return child.exited;
    }),
  );
}

const startProcesses = (names: readonly string[]) =>
  Promise.all(names.map((name) => rig.start(name, PROCESSES[name]!)));

/** The carrier's book of one batch, against ours. */
async function ledgerOf(id: string): Promise<LedgerCheck> {
  const { incarnation } = (await rig.store.batches.findOne({ _id: id }))!;
  const from = firstIndex.get(id)!;
  const digits = (index: number) => phoneOf(index).slice(1);
  async function* own(): AsyncGenerator<LedgerEntry> {
    for await (const entry of rig.simulator.ledger()) {
      if (entry.msisdn >= digits(from) && entry.msisdn < digits(from + TOTAL)) yield entry;
    }
  }
  return checkLedger(rig.store, { batchId: id, incarnation }, own());
}

/** From the system of record: a call could be lost with the connection. */
const over = (id: string) =>
  until(
    `${id} has ended`,
    async () => (await rig.store.batches.findOne({ _id: id }))?.endedAt !== undefined,
    90_000,
  );

async function checkAllSent(id: string): Promise<void> {
  await over(id);
  const view = await rig.ended(id, ['Succeeded'], WITHIN_MS);
  const account = await rig.account(id);
  assert.equal(sumOf(account), TOTAL);
  assert.equal(account.counts.accepted + account.counts.unknown, TOTAL, JSON.stringify(account.counts));
  assert.equal(view.counts.accepted, account.counts.accepted);
  const { missing, unexpected, doubled, received } = await ledgerOf(id);
  assert.deepEqual({ missing, unexpected, doubled }, NOBODY);
  assert.ok(received >= account.counts.accepted);
}

/** Redis shows what MongoDB says, though it knew of a later state. */
async function checkStatus(id: string, state: string): Promise<void> {
  const { version } = (await rig.store.batches.findOne({ _id: id }))!;
  const { counts } = await rig.account(id);
  await until(
    `the status of ${id} is that of MongoDB`,
    async () => {
      const status = await rig.call('batch', 'status', { id });
      return (
        status.source === 'redis' &&
        status.state === state &&
        status.version === version &&
        JSON.stringify(status.counts) === JSON.stringify(counts)
      );
    },
    WITHIN_MS,
  ).catch(async (error: Error) => {
    const status = await rig.call('batch', 'status', { id });
    throw new Error(`${error.message}: ${JSON.stringify({ status, version, counts })}`);
  });
}

describe('NATS loses what it has acknowledged: it heals from MongoDB, and nobody becomes unknown by it', () => {
  for (const from of ['copy', 'nothing'] as const) {
    it(`its store is ${from === 'copy' ? 'put back to an earlier copy' : 'wiped whole'} in mid-delivery`, async () => {
      const id = `nats-${from}`;
      await create(id);
      // Without a task, and without a command on the way.
      await create(`idle-${from}`, false);
      await until(
        `${id} is being sent`,
        async () => (await rig.account(id)).counts.accepted > 500,
        WITHIN_MS,
      );
      if (from === 'copy') {
        // As a disk has it whose last writes never came.
        await rig.servers.kill('nats', 'SIGSTOP');
        await takeCopy('nats');
        await rig.servers.kill('nats', 'SIGCONT');
      }
      await accepted(id);
      await putBack('nats', from);
      await rig.servers.restart('nats');
      await checkAllSent(id);
      assert.equal((await rig.account(id)).counts.unknown, 0);
      // Files can be uploaded and imported again, too.
      await rig.call('batch', 'start', { id: `idle-${from}` });
      await rig.call('batch', 'abort', { id: `idle-${from}` });
      assert.equal((await rig.ended(`idle-${from}`)).state, 'Aborted');
    });
  }
});

it('every store but MongoDB is lost at once, and every process: all goes on, nobody is sent anything twice', async () => {
  await create('all-a');
  await create('all-b');
  await accepted('all-a');
  await killProcesses();
  await putBack('nats', 'nothing');
  await putBack('redis', 'nothing');
  await Promise.all([rig.servers.restart('nats'), rig.servers.restart('redis')]);
  await startProcesses(Object.keys(PROCESSES));
  for (const id of ['all-a', 'all-b']) {
    await checkAllSent(id);
    await checkStatus(id, 'Succeeded');
  }
});

it('MongoDB is set back to an earlier copy, and told so: every batch stands with its reason, nobody is sent anything twice', async () => {
  const ids = ['delivering', 'prepared', 'pending'];
  await create('ended-then');
  await over('ended-then');
  // Slow enough to be in their midst, however long the looks at them take; the first one is never sent to its end.
  await create('delivering', false, 150);
  await create('prepared', false, 400);
  await create('pending', false);
  for (const id of ['delivering', 'prepared']) await rig.call('batch', 'start', { id });
  await until(
    'both are being sent',
    async () =>
      (await rig.account('delivering')).counts.accepted > 200 &&
      (await rig.account('prepared')).counts.accepted > 200,
    WITHIN_MS,
  );
  // One is paused in the copy, and goes on after it.
  await rig.call('batch', 'pause', { id: 'prepared' });
  await rig.ended('prepared', ['DeliveryPaused'], WITHIN_MS);
  await rig.servers.kill('mongo', 'SIGTERM');
  await takeCopy('mongo');
  await rig.servers.restart('mongo');

  // All of this is forgotten; the carrier has it.
  await rig.call('batch', 'resume', { id: 'prepared' });
  await rig.call('batch', 'start', { id: 'pending' });
  await create('unheard-of');
  await over('prepared');
  await over('pending');
  await killProcesses();
  const redis = new Redis(rig.servers.redisUrl);
  const versionBefore = Number(await redis.hget(statsKey('prepared'), 'v:batch'));
  redis.disconnect();

  await putBack('mongo', 'copy');
  await rig.servers.restart('mongo');
  // What sends comes last: until the batches are told, they would go on from the copy.
  await startProcesses(['host-a']);
  const answer = await rig.call(
    'batch',
    'reconcile',
    { all: true, restored: true, operatorId: 'ann' },
    WITHIN_MS,
  );
  assert.equal(answer.asked, 3, JSON.stringify(answer));
  assert.deepEqual(answer.refused, []);
  assert.deepEqual(answer.lost, ['unheard-of']);
  await startProcesses(['worker-a', 'worker-b']);

  for (const id of ['delivering', 'prepared']) {
    const view = await rig.ended(id, ['DeliveryPaused'], WITHIN_MS);
    const { counts } = await rig.account(id);
    assert.equal(counts.pending + counts.inFlight, 0);
    assert.equal(counts.accepted + counts.unknown, TOTAL);
    assert.ok(counts.unknown > 0);
    assert.deepEqual([view.reason!.code, view.restored!.unknown], ['restored', counts.unknown]);
    assert.match(
      view.reason!.message,
      new RegExp(`set back to an earlier copy.* ${counts.unknown} recipients`),
    );
    const restored = view.history!.find(({ event }) => event === 'Restore')!;
    assert.deepEqual([restored.to, restored.operatorId], ['DeliveryPausing', 'ann']);
    assert.ok(rig.events.of(id, 'state-changed').some(({ body }) => body.event === 'Restore'));
    const page = await rig.call('batch', 'recipients', { id, outcomes: ['unknown'], limit: 1 });
    assert.equal(page.recipients[0].code, 'RESTORED');
    await checkStatus(id, 'DeliveryPaused');
  }
  const { version } = (await rig.store.batches.findOne({ _id: 'prepared' }))!;
  assert.ok(version > versionBefore, `${version} is above what Redis had, ${versionBefore}`);

  // It had not begun in the copy: whoever starts it prepares, and sends nothing.
  assert.equal((await rig.call('batch', 'get', { id: 'pending' })).reason.code, 'restored');
  await rig.call('batch', 'start', { id: 'pending' });
  for (const id of ids.slice(0, 2)) await rig.call('batch', 'resume', { id });
  for (const id of ids) {
    const { counts } = await rig.ended(id, ['Succeeded'], WITHIN_MS);
    assert.equal(counts.accepted + counts.unknown, TOTAL);
    const { missing, unexpected, doubled, unknownReceived } = await ledgerOf(id);
    assert.deepEqual({ missing, unexpected, doubled }, NOBODY, id);
    assert.ok(unknownReceived > 0, `${id}: the carrier has some of the unknown`);
    await checkStatus(id, 'Succeeded');
  }
  assert.equal((await rig.ended('ended-then')).counts.accepted, TOTAL);
});
