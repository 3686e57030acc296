import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { eventSubject, STREAMS } from '../../contracts/subjects.ts';
import type { NatsCluster, NatsNode } from '../../scripts/servers/nats-cluster.ts';
import { until } from '../support/until.ts';
import { engineRig, HOST, type Rig, sumOf, WORKER } from './rig.ts';

const TOTAL = 6_000;
const RATE = 1_000;
/** The election alone takes 4 to 9 s. */
const MOVES_ON_MS = 20_000;
const FROZEN_MS = 8_000;
const LOOK_EVERY_MS = 200;
const PATIENCE_MS = 60_000;
const WINDOW = 100;
/** Of each worker that lost its tasks: what was in its socket, and two windows that were authorised. */
const UNKNOWN_ALLOWED = 2 * (WINDOW + 2 * 500);

let rig: Rig;
let cluster: NatsCluster;
before(async () => {
  rig = await engineRig({
    natsNodes: 3,
    processes: { 'host-a': HOST, 'host-b': ['batch'], 'worker-a': WORKER, 'worker-b': WORKER },
    behaviour: { latencyMs: 10 },
    account: { window: WINDOW, receipts: false },
  });
  cluster = rig.servers.natsCluster;
  await rig.table('people', TOTAL);
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const messages = async (): Promise<number> => (await rig.simulator.summary()).messages!;
const untilSent = (count: number) =>
  until(`${count} messages sent`, async () => (await messages()) >= count, PATIENCE_MS);

/** A request, and with it the answer, may be lost with the node that it went through. */
async function insist<T>(ask: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await pause(LOOK_EVERY_MS);
    }
  }
}

async function leaderOf(group: string): Promise<NatsNode> {
  const look = () => (group === 'meta' ? cluster.metaLeader() : cluster.leaderOf(group));
  return until(`a leader of ${group}`, async () => (await look()) ?? false, PATIENCE_MS);
}

/** Follows a batch from the system of record and the carrier; answers with the longest time in which neither moved. */
function watchForStandstill(id: string) {
  let movedAt = performance.now();
  let longestMs = 0;
  let last = '';
  let going = true;
  const running = (async () => {
    while (going) {
      const doc = await rig.store.batches.findOne({ _id: id });
      const seen = `${await messages()} ${doc?.version}`;
      const now = performance.now();
      if (seen !== last) {
        longestMs = Math.max(longestMs, now - movedAt);
        movedAt = now;
      }
      last = seen;
      await pause(LOOK_EVERY_MS);
    }
  })();
  return {
    /** What happened before a fault is over does not count. */
    again: () => {
      movedAt = performance.now();
      longestMs = 0;
    },
    stop: async () => {
      going = false;
      await running;
      return Math.round(longestMs);
    },
  };
}

/** From the first try to the answer of a command to a batch that nothing else happens to. */
async function commandMs(): Promise<number> {
  const from = performance.now();
  await insist(() => rig.call('batch', 'update', { id: 'idle', patch: { campaignName: `${from}` } }, 2_000));
  return Math.round(performance.now() - from);
}

/** One batch, disturbed; afterwards our books and the carrier's are compared, recipient by recipient. */
async function disturbed(
  t: TestContext,
  id: string,
  disturb: (standstill: ReturnType<typeof watchForStandstill>) => Promise<object>,
): Promise<void> {
  // Also where a fault before this one did not come to its end.
  await Promise.all(cluster.nodes.map((node) => (node.pid === null ? node.restart() : node.thaw())));
  await cluster.healthy(PATIENCE_MS);
  await rig.simulator.reset();
  const batch = {
    name: id,
    content: 'Hello World',
    tableStorageName: 'people',
    providers: ['simulator'],
    ratePerSecond: RATE,
  };
  await insist(async () => {
    if (await rig.store.batches.findOne({ _id: id })) return;
    await rig.call('batch', 'create', { id, batch, start: true });
  });
  const standstill = watchForStandstill(id);
  await untilSent(TOTAL * 0.1);
  standstill.again();
  const figures = await disturb(standstill);
  await until(
    `the end of ${id}`,
    async () => (await rig.store.batches.findOne({ _id: id }))?.endedAt !== undefined,
    120_000,
  );
  const standstillMs = await standstill.stop();
  const { received } = await rig.ledger(id);
  // A worker whose sign of life was lost with a node may have lost its task; what it was answered it hands over late.
  const isKnown = async () => (await rig.account(id)).counts.accepted === received;
  await until(`every answer of ${id}`, isKnown, PATIENCE_MS);
  const account = await rig.account(id);
  const { accepted, unknown } = account.counts;
  const { doubled, missing, unexpected, examples } = await rig.ledger(id);
  t.diagnostic(JSON.stringify({ id, standstillMs, ...figures, accepted, unknown }));
  assert.deepEqual(
    { doubled, missing, unexpected },
    { doubled: 0, missing: 0, unexpected: 0 },
    JSON.stringify(examples),
  );
  assert.equal(sumOf(account), TOTAL);
  assert.equal(accepted + unknown, TOTAL, JSON.stringify(account.counts));
  assert.ok(unknown <= UNKNOWN_ALLOWED, `${unknown} unknown`);
  assert.equal(await announced(id, 'ended'), 1, 'the end is announced once');
  assert.ok(standstillMs < MOVES_ON_MS, `${id} stood still for ${standstillMs} ms`);
}

async function announced(id: string, event: string): Promise<number> {
  const subject = eventSubject(id, event);
  const stored = () => rig.jsm.streams.info(STREAMS.events, { subjects_filter: subject });
  return until(
    `${event} of ${id}`,
    async () => (await insist(stored)).state.subjects?.[subject] ?? false,
    PATIENCE_MS,
  );
}

async function backAgain(node: NatsNode): Promise<void> {
  await node.restart();
  await cluster.healthy(PATIENCE_MS);
}

describe('three replicas', () => {
  before(async () => {
    await rig.call('batch', 'create', {
      id: 'idle',
      batch: { name: 'idle', content: 'Hello', tableStorageName: 'people', providers: ['simulator'] },
    });
  });

  for (const group of [STREAMS.steps, 'meta']) {
    it(`the leader of ${group} is killed`, async (t) => {
      await disturbed(t, `killed-${group}`, async () => {
        const leader = await leaderOf(group);
        await leader.kill();
        const answeredAfterMs = await commandMs();
        await backAgain(leader);
        return { answeredAfterMs };
      });
    });
  }

  it('the leader of SMS_STEPS is frozen for 8 s, and wakes up', async (t) => {
    await disturbed(t, 'frozen', async () => {
      const leader = await leaderOf(STREAMS.steps);
      await leader.freeze();
      const answered = commandMs();
      await pause(FROZEN_MS);
      await leader.thaw();
      return { answeredAfterMs: await answered };
    });
  });

  it('followers are lost, one after the other', async (t) => {
    await disturbed(t, 'followers', async () => {
      const leader = await leaderOf(STREAMS.steps);
      const answeredAfterMs: number[] = [];
      for (const follower of cluster.nodes.filter(({ name }) => name !== leader.name)) {
        await follower.kill();
        answeredAfterMs.push(await commandMs());
        await backAgain(follower);
      }
      return { answeredAfterMs };
    });
  });

  it('two of three are lost at once: it goes on when they are back', async (t) => {
    await disturbed(t, 'quorum', async (standstill) => {
      const leader = await leaderOf(STREAMS.steps);
      const lost = [leader, cluster.nodes.find(({ name }) => name !== leader.name)!];
      await Promise.all(lost.map((node) => node.kill()));
      await pause(3_000);
      await Promise.all(lost.map((node) => node.restart()));
      standstill.again();
      await cluster.healthy(PATIENCE_MS);
      return { answeredAfterMs: await commandMs() };
    });
  });

  it('a planned restart, node by node', async (t) => {
    await disturbed(t, 'planned', async () => {
      const answeredAfterMs: number[] = [];
      for (const node of cluster.nodes) {
        await node.kill('SIGTERM');
        answeredAfterMs.push(await commandMs());
        await backAgain(node);
      }
      return { answeredAfterMs };
    });
  });
});
