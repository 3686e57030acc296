import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { sleep } from '../../../lib/lifecycle/sleep.ts';
import type { Child } from '../../../scripts/engine/child-process.ts';
import { startEngine } from '../../../scripts/engine/engine.ts';
import { until } from '../../support/until.ts';
import { CONFIG, type SchedulerWorld, schedulerWorld } from './scheduler-world.ts';

let world: SchedulerWorld;
before(async () => {
  world = await schedulerWorld();
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

const PATIENCE_MS = 60_000;
const publishTo = (subject: string) => ({ kind: 'publish', subject });
const schedulerProcess = (name: string): Promise<Child> =>
  startEngine(name, ['scheduler'], {
    servers: world.servers,
    providers: [],
    env: { SCHEDULER_SUBJECTS: CONFIG.SCHEDULER_SUBJECTS.join(',') },
  });

const countOn = async (subject: string): Promise<number> => {
  const { state } = await world.nats.jsm.streams.info('CAUGHT', { subjects_filter: subject });
  return Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
};

/** Due times of the runs on a subject, ms, in the order in which they came: their message ids name them. */
async function duesOn(subject: string): Promise<number[]> {
  const messages = await world.caught(subject);
  return messages.map(({ msgId }) => {
    const [, y, mo, d, h, mi, s] = /-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z:/.exec(msgId)!;
    return Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
  });
}

function assertEachOnce(dues: readonly number[], periodMs: number): void {
  assert.ok(dues.length > 2, `only ${dues.length} runs`);
  const steps = dues.slice(1).map((due, index) => due - dues[index]!);
  assert.ok(
    steps.every((step) => step === periodMs),
    `a run is missing, doubled or out of order: ${dues.map((due) => new Date(due).toISOString())}`,
  );
}

describe('schedules survive', () => {
  it('a scheduler killed at the instant, with another beside it: none twice, none lost', async () => {
    const many = 500;
    const [victim, survivor] = await Promise.all([schedulerProcess('victim'), schedulerProcess('survivor')]);
    try {
      const at = new Date(Date.now() + 12_000).toISOString();
      const make = async (from: number) => {
        for (let n = from; n < many; n += 25) {
          await world.ask('create', {
            id: `due-${n}`,
            schedule: { at, target: publishTo(`caught.due.${n}`) },
          });
        }
      };
      await Promise.all(Array.from({ length: 25 }, (_, from) => make(from)));
      await until(
        'the first fires',
        async () => (await world.nats.jsm.streams.info('CAUGHT')).state.messages > 0,
        PATIENCE_MS,
      );
      victim.kill('SIGKILL');
      await until(
        'all have fired',
        async () => (await world.nats.jsm.streams.info('CAUGHT')).state.messages >= many,
        PATIENCE_MS,
      );
      await until(
        'all are decided and acknowledged',
        async () => {
          const info = await world.nats.jsm.streams.info('SMS_SCHEDULES', { subjects_filter: 'sms.due.*' });
          return Object.keys(info.state.subjects ?? {}).length === 0;
        },
        PATIENCE_MS,
      );
      const fired = await world.caught('caught.due.*');
      assert.equal(fired.length, many);
      assert.equal(new Set(fired.map(({ subject }) => subject)).size, many);
      const done = world.store.db.collection('schedules');
      assert.equal(await done.countDocuments({ state: 'done', started: 1 }), many);
    } finally {
      await Promise.all([victim.stop(), survivor.stop()]);
    }
  });

  it('a broker killed and started, and Redis flushed', async () => {
    const scheduler = await world.start({ sweepEveryMs: 500 });
    const redis = new Redis(world.servers.redisUrl);
    try {
      const at = new Date(Date.now() + 5_000).toISOString();
      for (let n = 0; n < 5; n++) {
        await world.ask('create', {
          id: `kept-${n}`,
          schedule: { at, target: publishTo(`caught.kept.${n}`) },
        });
      }
      await world.servers.restart('nats');
      await redis.flushall();
      await until(
        'all have fired',
        async () => (await countOn('caught.kept.*').catch(() => 0)) >= 5,
        PATIENCE_MS,
      );
      assert.equal((await world.caught('caught.kept.*')).length, 5);
    } finally {
      redis.disconnect();
      await scheduler.stop();
    }
  });

  it('a restart more often than the period: every run once', async () => {
    const schedule = {
      cron: '*/4 * * * * *',
      timeZone: 'UTC',
      catchUp: 'all',
      target: publishTo('caught.restarted'),
    };
    let scheduler = await world.start();
    await world.ask('create', { id: 'restarted', schedule });
    for (let restarts = 0; restarts < 4; restarts++) {
      await scheduler.stop();
      scheduler = await world.start();
      await sleep(500);
    }
    await until('it goes on', async () => (await countOn('caught.restarted')) >= 3, PATIENCE_MS);
    await world.ask('cancel', { id: 'restarted' });
    await scheduler.stop();
    assertEachOnce(await duesOn('caught.restarted'), 4_000);
  });

  it('a clock that is set back by an hour, and forward again: every run once', async () => {
    let backMs = 0;
    const scheduler = await world.start({ now: () => Date.now() - backMs });
    const schedule = {
      cron: '* * * * * *',
      timeZone: 'UTC',
      catchUp: 'all',
      target: publishTo('caught.clock'),
    };
    await world.ask('create', { id: 'clock', schedule });
    const runs = async (atLeast: number) =>
      until(`${atLeast} runs`, async () => (await countOn('caught.clock')) >= atLeast, PATIENCE_MS);
    await runs(2);
    backMs = 3_600_000;
    await runs(5);
    backMs = 0;
    await runs(7);
    await world.ask('cancel', { id: 'clock' });
    await scheduler.stop();
    assertEachOnce(await duesOn('caught.clock'), 1_000);
  });
});
