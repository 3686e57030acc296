import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { isFinal, stateName } from '../../contracts/states.ts';
import { STREAMS } from '../../contracts/subjects.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { seededRandom } from '../../lib/random/seeded-random.ts';
import {
  CRASH_POINTS,
  type CrashPoint,
  crashEnvironment,
  readStrikes,
  type StrikeSeen,
} from '../../scripts/chaos/crash-points.ts';
import { checkLedger } from '../../scripts/engine/check-ledger.ts';
import type { Child } from '../../scripts/engine/child-process.ts';
import { startEngine } from '../../scripts/engine/engine.ts';
import { engineRig, HOST, type Rig, sumOf, WORKER } from '../engine/rig.ts';
import { until } from '../support/until.ts';

const TOTAL = 800;
/** Not over before it is told to hurry. */
const SLOWLY_PER_SECOND = 10;
const HURRIED_PER_SECOND = 500;
const FROZEN_MS = 8_000;
/** The promise. */
const MOVES_ON_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 100;
/** On a machine with time to spare. */
const A_LOOK_MS = 20;
const WINDOW = 20;
/** The socket and two windows of 100 ms; and those that are attacked next may hold a task of this batch, too. */
const UNKNOWN_ALLOWED = 3 * (WINDOW + (2 * HURRIED_PER_SECOND) / 10);

const SLOWLY = { patch: { ratePerSecond: SLOWLY_PER_SECOND } };
const random = seededRandom(6);

type Action = 'kill' | 'freeze';
interface Attack {
  action: Action;
  point: CrashPoint;
}

const atActor = (point: CrashPoint) => (CRASH_POINTS.batch as readonly string[]).includes(point);
/** At the second passing in its batch: there is a first to be set back to. */
const NTH = 2;

const ACCOUNT = { window: WINDOW, receipts: false };

let rig: Rig;
let crashLog: string;
before(async () => {
  rig = await engineRig({
    processes: { 'host-a': [...HOST, ...WORKER], 'host-b': ['batch', ...WORKER] },
    behaviour: { latencyMs: 20 },
    account: ACCOUNT,
  });
  crashLog = join(rig.servers.logDir, 'crash.log');
  await rig.table('people', TOTAL);
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

const batchOf = (action: Action, point: CrashPoint) => `${action}-${point}`;

/** A process that strikes itself, at each point in a batch of its own. */
async function startVictim(name: string, component: string, attacks: readonly Attack[]): Promise<Child> {
  const strikes = attacks.map(({ action, point }) => ({
    point,
    action,
    nth: NTH,
    batchId: batchOf(action, point),
  }));
  const child = await startEngine(name, [component], {
    servers: rig.servers,
    providers: [rig.simulator.account(ACCOUNT)],
    env: crashEnvironment(strikes, crashLog),
  });
  rig.processes.set(name, child);
  return child;
}

const strike = (batchId: string, action: StrikeSeen['action']): StrikeSeen | undefined =>
  readStrikes(crashLog).find((each) => each.batchId === batchId && each.action === action);

const struck = (batchId: string, action: StrikeSeen['action'], withinMs = 60_000): Promise<StrikeSeen> =>
  until(`${action} of ${batchId}`, async () => strike(batchId, action), withinMs);

const documentOf = async (id: string) => (await rig.store.batches.findOne({ _id: id }))!;

/** Pauses and resumes: each is taken by whichever process comes first, and so are the tasks. */
async function driveUntilStruck(id: string, action: Action): Promise<StrikeSeen> {
  const deadlineAt = performance.now() + 90_000;
  for (;;) {
    for (const [verb, state, dwellMs] of [
      ['pause', 'DeliveryPaused', 0],
      ['resume', 'DeliveryRunning', 400],
    ] as const) {
      // Processes take turns at the commands: in a regular order the same one would always have the same of them.
      for (let more = Math.floor(random() * 3); more > 0; more--) await rig.command(id, 'update', SLOWLY);
      await rig.command(id, verb);
      const since = performance.now();
      for (let arrivedAt = Number.POSITIVE_INFINITY; performance.now() < arrivedAt + dwellMs; ) {
        const seen = strike(id, action);
        if (seen) return seen;
        assert.ok(performance.now() < deadlineAt, `${id}: nobody has passed the point`);
        // A command in the hands of a process that was struck for another batch.
        if (performance.now() > since + 15_000) break;
        if (arrivedAt === Number.POSITIVE_INFINITY && stateName((await documentOf(id)).state) === state) {
          arrivedAt = performance.now();
        }
        await sleep(LOOK_EVERY_MS);
      }
    }
  }
}

/** Somebody else goes on: with the batch by a further write, with the task by a further owner. */
async function movesOn(id: string, point: CrashPoint, { atMs, version }: StrikeSeen): Promise<number> {
  // Behind the command that was in hand: it waits for the partition.
  if (atActor(point)) await rig.command(id, 'update', { patch: { description: 'moved on' } });
  const task = await rig.store.tasks.findOne({ batchId: id, step: 'delivery' });
  const before = { version: version ?? (await documentOf(id)).version, ownerSeq: task!.ownerSeq };
  const isSo = async () => {
    if (atActor(point)) {
      const { definition, version } = await documentOf(id);
      return version > before.version && definition.description === 'moved on';
    }
    const { ownerSeq } = (await rig.store.tasks.findOne({ _id: task!._id }))!;
    return ownerSeq > before.ownerSeq;
  };
  // A machine that lets nobody work does not move on either: what our own looks take too long is not the engine's.
  let stolenMs = 0;
  for (let lookedAt = performance.now(); !(await isSo()); lookedAt = performance.now()) {
    const allowedMs = MOVES_ON_WITHIN_MS + stolenMs;
    assert.ok(Date.now() - atMs < allowedMs, `${id} has not moved on within ${allowedMs} ms`);
    await sleep(LOOK_EVERY_MS);
    stolenMs += Math.max(0, performance.now() - lookedAt - LOOK_EVERY_MS - A_LOOK_MS);
  }
  return Date.now() - atMs;
}

/** To its end, at full speed. */
async function finish(id: string): Promise<string> {
  await rig.command(id, 'update', { patch: { ratePerSecond: HURRIED_PER_SECOND } });
  return until(
    `the end of ${id}`,
    async () => {
      const { state } = await documentOf(id);
      if (isFinal(state)) return stateName(state);
      if (stateName(state) === 'DeliveryPaused') await rig.command(id, 'resume');
      await sleep(LOOK_EVERY_MS);
      return undefined;
    },
    90_000,
  );
}

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
      await sleep(1_000);
    }
  })();
  return async () => {
    going = false;
    await running;
    assert.deepEqual(broken, []);
    assert.ok(looks >= 3, `only ${looks} looks`);
  };
}

/** What the carrier has of this batch: its texts name it. */
async function* ledgerOf(id: string) {
  for await (const entry of rig.simulator.ledger()) if (entry.text.endsWith(id)) yield entry;
}

interface Begun {
  identityHeld(): Promise<void>;
}

/** A batch that delivers, slowly. By message, not by the API: a request in the hands of a process that dies has no answer. */
async function begin(id: string): Promise<Begun> {
  const batch = {
    name: id,
    content: `Hello World ${id}`,
    tableStorageName: 'people',
    providers: ['simulator'],
    ratePerSecond: SLOWLY_PER_SECOND,
  };
  await rig.command(id, 'create', { batch, start: true });
  await rig.events.state(id, 'DeliveryRunning', { withinMs: 60_000 });
  return { identityHeld: watchIdentity(id) };
}

/** The batch is driven until the process strikes itself. `meanwhile` fills the time until somebody else goes on. */
async function attack(
  t: TestContext,
  victim: Child,
  { action, point }: Attack,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const id = batchOf(action, point);
  const seen = await driveUntilStruck(id, action);
  const thawedOrDead = async () => {
    if (action === 'kill') return assert.equal(await victim.exited, null);
    await sleep(FROZEN_MS);
    victim.kill('SIGCONT');
    await struck(id, 'thawed');
  };
  const [movedAfterMs] = await Promise.all([movesOn(id, point, seen), thawedOrDead(), meanwhile()]);
  t.diagnostic(JSON.stringify({ id, movedAfterMs }));
  // Late writes of the thawed process: to the batch, to the journal, or the same messages again. Its ack harms nobody.
  if (action === 'kill' || point === 'published') return;
  const { refused } = await struck(id, 'late');
  assert.equal(refused, true, `a late write of ${point} was taken`);
  if (point === 'intent') assert.equal(strike(id, 'submitted'), undefined, 'sent on an intent of 8 s ago');
}

/** All of it is accounted, the carrier agrees recipient by recipient, and the end was announced once. */
async function settled(id: string, { identityHeld }: Begun): Promise<void> {
  const state = await finish(id);
  await identityHeld();
  assert.equal(state, 'Succeeded');
  const { counts, ...rest } = await rig.account(id);
  assert.equal(sumOf({ counts, ...rest }), TOTAL);
  assert.equal(counts.accepted + counts.unknown, TOTAL);
  assert.ok(counts.unknown <= UNKNOWN_ALLOWED, `${counts.unknown} unknown in ${id}`);
  const { incarnation } = await documentOf(id);
  const books = await checkLedger(rig.store, { batchId: id, incarnation }, ledgerOf(id));
  const { missing, unexpected, doubled } = books;
  assert.deepEqual(
    { id, missing, unexpected, doubled },
    { id, missing: 0, unexpected: 0, doubled: 0 },
    JSON.stringify(books.examples),
  );
  const subject = `sms.evt.${id}.ended`;
  const events = await rig.jsm.streams.info(STREAMS.events, { subjects_filter: subject });
  assert.equal(events.state.subjects?.[subject], 1, id);
}

describe('a process that strikes itself', { concurrency: 2 }, () => {
  for (const [component, points] of Object.entries(CRASH_POINTS)) {
    // One after another: a frozen host still has its pulls out, and would be handed what another one held.
    describe(component, { concurrency: 1 }, () => {
      const attacks = (['freeze', 'kill'] as const).flatMap((action) =>
        points.map((point): Attack => ({ action, point })),
      );
      let victim: Child;
      let begun: Promise<Begun>;
      const books = new Map<string, Promise<void>>();
      const beginFor = (next: Attack) => {
        begun = begin(batchOf(next.action, next.point));
        begun.catch(() => {});
      };
      before(async () => {
        const first = attacks.filter(({ action }) => action === 'freeze');
        victim = await startVictim(`${component}-0`, component, [...first, attacks[first.length]!]);
        beginFor(attacks[0]!);
      });
      attacks.forEach((each, index) => {
        it(`${each.point}: ${each.action === 'kill' ? 'kill -9' : 'frozen for 8 s'}`, async (t) => {
          const id = batchOf(each.action, each.point);
          const batch = await begun;
          const next = attacks[index + 1];
          await attack(t, victim, each, async () => {
            if (!next) return;
            beginFor(next);
            if (each.action === 'kill')
              victim = await startVictim(`${component}-${index}`, component, [next]);
          });
          const settling = settled(id, batch);
          settling.catch(() => {});
          books.set(id, settling);
        });
      });
      it('nothing lost, nothing doubled, the end announced once', async () => {
        await Promise.all(books.values());
        assert.equal(books.size, attacks.length);
      });
    });
  }
});
