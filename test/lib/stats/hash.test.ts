import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { noOutcomes, type OutcomeCounts } from '../../../contracts/outcomes.ts';
import { connectRedis } from '../../../lib/redis/connect.ts';
import { factsFromRedis } from '../../../lib/stats/facts-from-redis.ts';
import { dropStats, type StatsUpdate, statsKey, takeStats } from '../../../lib/stats/hash.ts';
import { testServers } from '../../support/servers.ts';

const servers = await testServers(['redis']);
const view = connectRedis({ addr: servers.redisUrl, name: 'test', log: pino({ level: 'silent' }) });
await view.whenReady(5_000);
const { redis } = view;
after(async () => {
  await view.close();
  await servers.stop();
});

let batches = 0;
const FIRST_LIFE = (1_700_000_000_000).toString(36);
const SECOND_LIFE = (1_700_000_000_001).toString(36);
const at = (second: number): string => new Date(1_700_000_000_000 + second * 1_000).toISOString();
const counts = (some: Partial<OutcomeCounts>): OutcomeCounts => ({ ...noOutcomes(), ...some });

const progress = (
  batchId: string,
  version: number,
  out: number[],
  more: Partial<Extract<StatsUpdate, { kind: 'progress' }>['body']> = {},
): StatsUpdate => ({
  kind: 'progress',
  body: {
    batchId,
    incarnation: FIRST_LIFE,
    at: at(version),
    version,
    state: 'DeliveryRunning',
    phase: 'delivery',
    total: 1_000,
    done: { preparation: counts({ pending: 1_000 }) },
    tasks: { count: 10, done: 0, out },
    ...more,
  },
});

const task = (
  batchId: string,
  n: number,
  version: number,
  accepted: number,
  step = 'delivery',
): StatsUpdate => ({
  kind: 'task',
  body: {
    batchId,
    incarnation: FIRST_LIFE,
    at: at(version),
    step,
    task: n,
    epoch: 1,
    version,
    counts: counts({ accepted, pending: 100 - accepted }),
    segments: accepted,
  },
});

/** Of the hash, what status is made of. */
async function figures(batchId: string) {
  const facts = await factsFromRedis(redis, batchId);
  return {
    version: facts?.progress.version,
    tasks: Object.fromEntries(facts?.tasks.map((each) => [each.task, each.counts.accepted]) ?? []),
  };
}

test('a higher version is taken, the same and a lower one are refused, whatever the order', async () => {
  const update = fc.oneof(
    fc.record({ n: fc.constant(-1), version: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ n: fc.integer({ min: 0, max: 2 }), version: fc.integer({ min: 1, max: 9 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(update, { minLength: 1, maxLength: 20 }), async (updates) => {
      const batchId = `p${++batches}`;
      const newest = new Map<number, number>();
      for (const { n, version } of updates) {
        const taken = await takeStats(
          redis,
          n === -1 ? progress(batchId, version, [0, 1, 2]) : task(batchId, n, version, version),
        );
        assert.equal(taken === 'refused', version <= (newest.get(n) ?? 0));
        newest.set(n, Math.max(version, newest.get(n) ?? 0));
      }
      for (const [n, version] of newest) {
        const field = n === -1 ? 'batch' : `task:delivery:${n}`;
        const stored = JSON.parse((await redis.hget(statsKey(batchId), field))!);
        assert.equal(stored.version, version);
      }
    }),
    { numRuns: 60 },
  );
});

test('a task that has ended leaves, and its late progress is refused', async () => {
  const batchId = `e${++batches}`;
  assert.equal(await takeStats(redis, progress(batchId, 1, [0, 1])), 'first');
  await takeStats(redis, task(batchId, 0, 1, 10));
  await takeStats(redis, task(batchId, 1, 1, 20));
  const done = { preparation: counts({ pending: 1_000 }), delivery: counts({ accepted: 100 }) };
  await takeStats(redis, progress(batchId, 2, [1, 2], { done, tasks: { count: 10, done: 1, out: [1, 2] } }));
  assert.deepEqual(await figures(batchId), { version: 2, tasks: { 1: 20 } });
  assert.equal(await takeStats(redis, task(batchId, 0, 9, 100)), 'refused', 'it is in the sums of the batch');
  assert.equal(
    await takeStats(redis, task(batchId, 0, 9, 100, 'preparation')),
    'refused',
    'of an earlier step',
  );
  assert.equal(
    await takeStats(redis, task(batchId, 3, 1, 5)),
    'taken',
    'handed out before the batch’s own event came',
  );
  await takeStats(redis, progress(batchId, 3, [1, 3], { tasks: { count: 10, done: 2, out: [1, 3] } }));
  assert.deepEqual(await figures(batchId), { version: 3, tasks: { 1: 20, 3: 5 } });
});

test('the next life of an ID replaces the figures of the last; a latecomer of the last changes nothing', async () => {
  const batchId = `l${++batches}`;
  await takeStats(redis, progress(batchId, 7, [0]));
  await takeStats(redis, task(batchId, 0, 3, 10));
  await redis.expire(statsKey(batchId), 100);
  const next = progress(batchId, 1, [0], { incarnation: SECOND_LIFE });
  assert.equal(await takeStats(redis, next), 'first');
  assert.deepEqual(await figures(batchId), { version: 1, tasks: {} });
  assert.equal(await redis.ttl(statsKey(batchId)), -1);
  assert.equal(await takeStats(redis, progress(batchId, 8, [0])), 'refused');
  assert.equal(await dropStats(redis, batchId, FIRST_LIFE), false, 'the deletion was of the last life');
  assert.equal(await dropStats(redis, batchId, SECOND_LIFE), true);
});

test('no expiry while the batch lives, a week after its end', async () => {
  const batchId = `t${++batches}`;
  await takeStats(redis, progress(batchId, 1, []));
  assert.equal(await redis.ttl(statsKey(batchId)), -1);
  const ended: StatsUpdate = {
    kind: 'ended',
    body: {
      batchId,
      incarnation: FIRST_LIFE,
      at: at(9),
      version: 9,
      state: 'Succeeded',
      total: 1_000,
      counts: counts({ accepted: 1_000 }),
    },
  };
  await takeStats(redis, ended);
  const ttl = await redis.ttl(statsKey(batchId));
  assert.ok(ttl > 604_700 && ttl <= 604_800, `${ttl} s`);
  await takeStats(redis, progress(batchId, 9, []));
  assert.ok((await redis.ttl(statsKey(batchId))) > 604_700, 'a late event keeps the expiry');
});

test('a repair replaces the same version, never a higher one', async () => {
  const batchId = `f${++batches}`;
  await takeStats(redis, task(batchId, 0, 5, 10));
  assert.equal(await takeStats(redis, task(batchId, 0, 5, 12)), 'refused');
  assert.equal(await takeStats(redis, task(batchId, 0, 5, 12), true), 'taken');
  assert.equal(await takeStats(redis, task(batchId, 0, 4, 11), true), 'refused');
  assert.deepEqual((await redis.hget(statsKey(batchId), 'n:delivery:0'))!, '12 12');
});

test('samples of what was handled only grow, and are kept for ten seconds', async () => {
  const batchId = `s${++batches}`;
  await takeStats(redis, progress(batchId, 1, [0, 1]));
  for (let second = 2; second < 30; second++) {
    await takeStats(redis, task(batchId, 0, second, second));
    await takeStats(redis, task(batchId, 1, second, second));
  }
  const { samples } = (await factsFromRedis(redis, batchId))!;
  const first = samples[0]!;
  const last = samples.at(-1)!;
  assert.equal((last.atMs - first.atMs) / 1_000, 10);
  assert.ok(samples.every((each, i) => i === 0 || each.handled >= samples[i - 1]!.handled));
  assert.ok(last.handled - first.handled >= 19 && last.handled - first.handled <= 21);
});
