import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { seededRandom } from '../../lib/random/seeded-random.ts';
import type { Child } from '../../scripts/engine/child-process.ts';
import { engineRig, HOST, type Rig, sumOf, WORKER } from './rig.ts';

const TOTAL = 12_000;
const WINDOW = 200;
/** What a killed worker may leave in doubt: what was in the socket, and two windows that were authorised. */
const UNKNOWN_ALLOWED = WINDOW + 2 * 500;
const FROZEN_MS = 8_000;

let rig: Rig;
before(async () => {
  rig = await engineRig({
    processes: { 'host-a': HOST, 'host-b': ['batch'], 'worker-a': WORKER, 'worker-b': WORKER },
    behaviour: { latencyMs: 20 },
    account: { window: WINDOW, receipts: false },
  });
  await rig.table('people', TOTAL);
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

const messages = async (): Promise<number> => (await rig.simulator.summary()).messages!;

/** Looks at the account until told to stop; every look must sum to the total. */
function watchIdentity(id: string) {
  const broken: string[] = [];
  let looks = 0;
  let going = true;
  const running = (async () => {
    while (going) {
      const account = await rig.account(id);
      if (account.total !== null) {
        looks += 1;
        if (sumOf(account) !== account.total) broken.push(JSON.stringify(account));
      }
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  })();
  return async () => {
    going = false;
    await running;
    assert.deepEqual(broken, []);
    assert.ok(looks >= 5, `only ${looks} looks`);
    return looks;
  };
}

/** One batch, disturbed; afterwards our books and the carrier's are compared, recipient by recipient. */
async function disturbed(
  t: TestContext,
  id: string,
  unknownAllowed: number,
  disturb: () => Promise<void>,
): Promise<void> {
  await rig.simulator.reset();
  await rig.call('batch', 'create', {
    id,
    // Slow enough that the disturbance comes in mid-delivery.
    batch: {
      name: id,
      content: 'Hello World',
      tableStorageName: 'people',
      providers: ['simulator'],
      ratePerSecond: 4_000,
    },
  });
  const seen = watchIdentity(id);
  await rig.call('batch', 'start', { id });
  await disturb();
  const view = await rig.ended(id, ['Succeeded']);
  const looks = await seen();
  const account = await rig.account(id);
  const check = await rig.ledger(id);
  const { accepted, unknown } = account.counts;
  t.diagnostic(
    JSON.stringify({
      id,
      accepted,
      unknown,
      looks,
      received: check.received,
      unknownReceived: check.unknownReceived,
    }),
  );
  assert.equal(sumOf(account), TOTAL);
  // Late answers move counts after the end, too.
  assert.equal(sumOf({ ...account, counts: view.counts }), TOTAL);
  const { doubled, missing, unexpected } = check;
  assert.deepEqual(
    { doubled, missing, unexpected },
    { doubled: 0, missing: 0, unexpected: 0 },
    JSON.stringify(check.examples),
  );
  assert.ok(account.counts.unknown <= unknownAllowed, `${account.counts.unknown} unknown`);
  assert.equal(account.counts.accepted + account.counts.unknown, TOTAL);
}

/** Waits until so many are out, and picks one of the workers that hold a task now. */
async function holderAt(id: string, sent: number, random: () => number): Promise<Child> {
  while ((await messages()) < sent) await new Promise((resolve) => setTimeout(resolve, 5));
  const tasks = await rig.store.tasks.find({ batchId: id, step: 'delivery', out: true }).toArray();
  const holders = [...new Set(tasks.flatMap(({ holder }) => (holder ? [holder] : [])))].sort();
  const picked = rig.processes.get(holders[Math.floor(random() * holders.length)] ?? '');
  assert.ok(picked, `nobody holds a task of ${id} at ${sent} messages`);
  return picked;
}

async function kill(worker: Child): Promise<void> {
  worker.kill('SIGKILL');
  await worker.exited;
}

describe('a worker in mid-delivery', () => {
  for (const seed of [1, 2]) {
    it(`killed (seed ${seed})`, async (t) => {
      const random = seededRandom(seed);
      const id = `kill-${seed}`;
      await disturbed(t, id, UNKNOWN_ALLOWED, async () => {
        const worker = await holderAt(id, Math.floor(TOTAL * (0.02 + 0.6 * random())), random);
        await kill(worker);
        await rig.start(worker.name, WORKER);
      });
    });
  }

  it('killed, and who took over is killed, too', async (t) => {
    await disturbed(t, 'kill-both', 2 * UNKNOWN_ALLOWED, async () => {
      const random = seededRandom(4);
      const first = await holderAt('kill-both', 2_000, random);
      await kill(first);
      const second = await holderAt('kill-both', 2_500, random);
      if (second !== first) await kill(second);
      await rig.start(first.name, WORKER);
      if (second !== first) await rig.start(second.name, WORKER);
    });
  });

  it('frozen for 8 s: its tasks go on elsewhere; what it sent is found when it wakes up', async (t) => {
    await disturbed(t, 'frozen', UNKNOWN_ALLOWED, async () => {
      const random = seededRandom(8);
      const worker = await holderAt('frozen', Math.floor(TOTAL * (0.05 + 0.4 * random())), random);
      worker.kill('SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, FROZEN_MS));
      worker.kill('SIGCONT');
    });
    // Its answers lay in its socket: what it hands over late makes `accepted` of `unknown`, also after the end.
    const { received } = await rig.ledger('frozen');
    const deadlineAt = performance.now() + 10_000;
    let account = await rig.account('frozen');
    while (account.counts.accepted < received && performance.now() < deadlineAt) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      account = await rig.account('frozen');
    }
    assert.deepEqual([account.counts.accepted, account.counts.unknown], [received, TOTAL - received]);
    assert.equal((await rig.ledger('frozen')).unexpected, 0);
  });
});
