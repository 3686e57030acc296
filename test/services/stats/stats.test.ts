import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { taskId } from '../../../contracts/ids.ts';
import { addCounts, noOutcomes, type OutcomeCounts, totalOf } from '../../../contracts/outcomes.ts';
import type { BatchStatus, ServiceMetrics } from '../../../contracts/stats-api.ts';
import { streamShapes } from '../../../contracts/streams.ts';
import { eventSubject, STREAMS } from '../../../contracts/subjects.ts';
import { connectMongo } from '../../../lib/mongo/connect.ts';
import { connectNats } from '../../../lib/nats/connect.ts';
import { publisher as publisherOf } from '../../../lib/nats/publish.ts';
import { request, ServiceError } from '../../../lib/nats/request.ts';
import { ensureStream } from '../../../lib/nats/streams.ts';
import { connectRedis } from '../../../lib/redis/connect.ts';
import { progressOf } from '../../../lib/stats/facts-from-store.ts';
import { statsKey } from '../../../lib/stats/hash.ts';
import { cachedFigures, readFigures, readStatus } from '../../../lib/stats/read-status.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import { storeOf } from '../../../lib/store/collections.ts';
import type { TaskDocument } from '../../../lib/store/task-document.ts';
import { startStats } from '../../../services/stats/component.ts';
import { sentBatch } from '../../support/sent-batch.ts';
import { testServers } from '../../support/servers.ts';
import { until } from '../../support/until.ts';

const servers = await testServers();
const log = pino({ level: process.env.LOG_LEVEL ?? 'silent' });
const nats = await connectNats({ url: servers.natsUrl, name: 'test', log });
const mongo = await connectMongo({
  url: servers.mongoUrl,
  database: servers.mongoDatabase,
  name: 'test',
  log,
});
const redis = connectRedis({ addr: servers.redisUrl, name: 'test', log });
await redis.whenReady(5_000);
const store = storeOf(mongo.db);
const publisher = publisherOf(nats);
for (const shape of streamShapes()) await ensureStream(nats.jsm, shape as never);
after(async () => {
  await nats.close();
  await mongo.close();
  await redis.close();
  await servers.stop();
});

const component = () => startStats({ nats, redis, store, registry: new Registry(), log, version: '0.0.0' });
const status = (batchId: string) => readStatus({ redis, store }, batchId);
const statusWithoutRedis = (batchId: string) => readStatus({ store }, batchId);
const counts = (some: Partial<OutcomeCounts>): OutcomeCounts => ({ ...noOutcomes(), ...some });
const ask = <T>(verb: string, body: object) =>
  request<T>(nats.nc, `sms.api.stats.${verb}`, body, { deadlineMs: 10_000, waitForService: true });

/** The figures, without what hangs on the clock or the source. */
const figures = ({
  asOf: _a,
  source: _s,
  ratePerSecond: _r,
  segmentsPerSecond: _g,
  secondsLeft: _l,
  limitingFactor: _f,
  ...rest
}: BatchStatus) => rest;

let messages = 0;
const publish = (batchId: string, event: string, body: object) =>
  publisher.publish({
    stream: STREAMS.events,
    subject: eventSubject(batchId, event),
    msgId: `e${++messages}`,
    body,
  });

const mirrored = (batchId: string) =>
  until(`${batchId} is mirrored`, async () => {
    const { source, counts: own } = await status(batchId);
    return source === 'redis' && own.accepted === 390;
  });

/** A batch of 1,000 in delivery: task 0 done, tasks 1 and 2 out, 3 not handed out. */
async function runningBatch(
  batchId: string,
  version = 5,
): Promise<{ batch: BatchDocument; tasks: TaskDocument[] }> {
  const { batch } = sentBatch({ batchId, recipients: [] });
  Object.assign(batch, {
    version,
    size: { total: 1_000, chunks: 4, tasks: 4 },
    work: { step: 'delivery', count: 4, next: 3, out: [1, 2], yielded: [] },
    totals: {
      preparation: { counts: counts({ pending: 980, invalid: 20 }), segments: 1_000 },
      delivery: { counts: counts({ accepted: 240, rejected: 5, invalid: 5 }), segments: 260 },
    },
  });
  const { incarnation } = batch;
  const tasks = [1, 2].map(
    (n): TaskDocument => ({
      _id: taskId(batchId, incarnation, 'delivery', n),
      batchId,
      incarnation,
      step: 'delivery',
      n,
      epoch: 1,
      run: 'go',
      out: true,
      done: false,
      ownerSeq: 1,
      cursor: 0,
      authorisedTo: 0,
      again: [],
      facts: [],
      counts: counts({ accepted: 50 * n, pending: 240 - 50 * n, inFlight: 5, invalid: 5 }),
      segments: 60 * n,
      resent: 0,
      ratePerSecond: null,
      config: {},
      progressVersion: 7,
      progressAt: batch.updatedAt,
      createdAt: batch.createdAt,
    }),
  );
  await store.batches.replaceOne({ _id: batchId }, batch, { upsert: true });
  for (const task of tasks) await store.tasks.replaceOne({ _id: task._id }, task, { upsert: true });
  return { batch, tasks };
}

const taskProgress = ({
  batchId,
  incarnation,
  step,
  n,
  epoch,
  progressVersion,
  counts: own,
  segments,
}: TaskDocument) => ({
  batchId,
  incarnation,
  at: new Date(1_700_000_000_000).toISOString(),
  step,
  task: n,
  epoch,
  version: progressVersion,
  counts: own,
  segments,
});

async function publishAll({ batch, tasks }: Awaited<ReturnType<typeof runningBatch>>): Promise<void> {
  await publish(batch._id, 'progress', progressOf(batch));
  for (const task of tasks) await publish(batch._id, 'task-progress', taskProgress(task));
}

test('events become figures in Redis; MongoDB alone gives the same', async () => {
  await using stats = component();
  await stats.start();
  const running = await runningBatch('s1');
  await publishAll(running);
  const shown = await until('mirrored', async () => {
    const found = await status('s1');
    return found.source === 'redis' && found.counts.accepted === 390 && found;
  });
  assert.deepEqual(
    shown.counts,
    counts({ accepted: 390, rejected: 5, invalid: 20, pending: 575, inFlight: 10 }),
  );
  assert.equal(totalOf(shown.counts), shown.total);
  assert.equal(shown.segments, 440);
  const fallback = await statusWithoutRedis('s1');
  assert.equal(fallback.source, 'mongodb');
  assert.deepEqual(figures(fallback), figures(shown));

  // Whoever has the document gets the same, and MongoDB is not asked where Redis has the rest.
  const { total, counts: exact, segments } = shown;
  const { batch } = running;
  assert.deepEqual(await readFigures({ store }, batch), { total, counts: exact, segments });
  const shut = new Proxy(store, { get: (_, name) => assert.fail(`MongoDB was asked: ${String(name)}`) });
  assert.deepEqual(await readFigures({ redis, store: shut }, batch), { total, counts: exact, segments });
  assert.equal(await cachedFigures({ redis, store }, { ...batch, incarnation: 'l0' }), undefined);
  assert.equal(await cachedFigures({ store }, batch), undefined);
  // The document is a turn ahead of Redis: task 1 is done.
  const { delivery } = batch.totals;
  const ahead = {
    ...batch,
    version: batch.version + 1,
    work: { ...batch.work!, out: [2] },
    totals: {
      ...batch.totals,
      delivery: { ...delivery!, counts: addCounts(delivery!.counts, counts({ accepted: 245, invalid: 5 })) },
    },
  };
  const known = (await readFigures({ redis, store: shut }, ahead)).counts;
  assert.deepEqual(known, counts({ accepted: 585, rejected: 5, invalid: 20, pending: 385, inFlight: 5 }));
});

test('Redis flushed in mid-run: the next event of a batch brings all its figures back', async () => {
  await using stats = component();
  await stats.start();
  const running = await runningBatch('s2');
  await publishAll(running);
  await store.db.collection<{ _id: string }>('recounts').insertOne({
    _id: `s2.${running.batch.incarnation}`,
    version: 3,
    writer: 'x',
    atMs: 1_700_000_000_000,
    receipts: { delivered: 200, undelivered: 3, expiredAtCarrier: 1 },
  } as never);
  await mirrored('s2');
  await redis.redis.flushall();
  assert.equal((await status('s2')).source, 'mongodb');

  const [first] = running.tasks;
  const later = { ...first!, progressVersion: 8, counts: counts({ accepted: 60, pending: 185, invalid: 5 }) };
  await store.tasks.replaceOne({ _id: later._id }, later);
  await publish('s2', 'task-progress', taskProgress(later));
  const shown = await until('rebuilt', async () => {
    const found = await status('s2');
    return found.source === 'redis' && found.receipts !== undefined && found;
  });
  assert.equal(shown.counts.accepted, 400);
  assert.deepEqual(figures(shown), figures(await statusWithoutRedis('s2')));
});

test('Redis restarted empty: every batch that lives is rebuilt without an event', async () => {
  await using stats = component();
  await stats.start();
  await publishAll(await runningBatch('s3'));
  await until('mirrored', async () => (await status('s3')).source === 'redis');
  await redis.redis.flushall();
  await servers.restart('redis');
  const shown = await until('rebuilt', async () => {
    const found = await status('s3');
    return found.source === 'redis' && found.counts.accepted === 390 && found;
  });
  assert.deepEqual(figures(shown), figures(await statusWithoutRedis('s3')));
});

test('Redis dead: status comes from MongoDB, events wait and are mirrored when it is back', async () => {
  await using stats = component();
  await stats.start();
  await servers.kill('redis');
  const running = await runningBatch('s4');
  await publishAll(running);
  const shown = await status('s4');
  assert.equal(shown.source, 'mongodb');
  assert.equal(totalOf(shown.counts), 1_000);
  assert.equal(shown.counts.accepted, 390);
  await servers.restart('redis');
  await redis.whenReady(5_000);
  // Each event brings the figures of one task.
  const mirror = await until('mirrored', async () => {
    const found = await status('s4');
    return found.source === 'redis' && found.counts.accepted === 390 && found;
  });
  assert.deepEqual(figures(mirror), figures(shown));
});

test('the end sets the expiry and shows its counts; the deletion removes them', async () => {
  await using stats = component();
  await stats.start();
  const { batch } = await runningBatch('s5');
  Object.assign(batch, {
    version: 9,
    state: { phase: null, status: 'Succeeded' },
    endedAt: Date.now(),
    updatedAt: Date.now(),
    counted: {
      counts: counts({ accepted: 950, rejected: 10, invalid: 20, unknown: 20 }),
      receipts: { delivered: 900, undelivered: 1, expiredAtCarrier: 0 },
      at: Date.now(),
    },
  });
  delete batch.work;
  await store.batches.replaceOne({ _id: 's5' }, batch);
  await publish('s5', 'progress', progressOf(batch));
  await publish('s5', 'ended', {
    batchId: 's5',
    incarnation: batch.incarnation,
    at: new Date(batch.endedAt!).toISOString(),
    version: 9,
    state: 'Succeeded',
    total: 1_000,
    ...{ counts: batch.counted!.counts, receipts: batch.counted!.receipts },
  });
  await until('mirrored', async () => (await redis.redis.ttl(statsKey('s5'))) > 0);
  const shown = await status('s5');
  assert.deepEqual(shown.counts, batch.counted!.counts);
  assert.equal(shown.receipts!.delivered, 900);
  assert.deepEqual(figures(await statusWithoutRedis('s5')), figures(shown));

  await store.batches.updateOne({ _id: 's5' }, { $set: { deletedAt: Date.now() } });
  await publish('s5', 'deleted', {
    batchId: 's5',
    incarnation: batch.incarnation,
    at: new Date().toISOString(),
    version: 10,
  });
  await until('removed', async () => (await redis.redis.exists(statsKey('s5'))) === 0);
  // A latecomer makes an empty hash, which nobody would remove any more.
  await publish('s5', 'recounted', {
    batchId: 's5',
    incarnation: batch.incarnation,
    at: new Date().toISOString(),
    version: 4,
    receipts: { delivered: 1, undelivered: 0, expiredAtCarrier: 0 },
  });
  await publish('s4', 'progress', { ...progressOf(batch), batchId: 's4', version: 20 });
  await until('the one behind it is there', async () => (await status('s4')).version === 20);
  await until('removed again', async () => (await redis.redis.exists(statsKey('s5'))) === 0);
  await assert.rejects(status('s5'), /deleted/);
});

test('sync repairs a drift, of one batch or all; it never brings an older version; invalidate drops', async () => {
  const running = await runningBatch('s6');
  {
    await using stats = component();
    await stats.start();
    await publishAll(running);
    await mirrored('s6');
  }
  await using stats = component();
  await stats.start();
  await redis.redis.hset(
    statsKey('s6'),
    'task:delivery:1',
    JSON.stringify({ ...taskProgress(running.tasks[0]!), counts: counts({ accepted: 250 }) }),
  );
  assert.equal((await status('s6')).counts.accepted, 590);
  assert.deepEqual(await ask('sync', { batchId: 's6' }), { synced: 1, repaired: 1 });
  assert.equal((await status('s6')).counts.accepted, 390);
  assert.deepEqual(await ask('sync', { batchId: 's6' }), { synced: 1, repaired: 0 });

  await publish('s6', 'progress', { ...progressOf(running.batch), version: 6, state: 'DeliveryPausing' });
  await until('mirrored', async () => (await status('s6')).version === 6);
  await ask('sync', { batchId: 's6' });
  assert.equal((await status('s6')).version, 6, 'MongoDB’s 5 was read before');

  assert.deepEqual(await ask('invalidate', { batchId: 's6' }), { removed: true });
  assert.equal((await status('s6')).source, 'mongodb');
  const all = await ask<{ synced: number; repaired: number }>('sync', { all: true });
  assert.ok(all.synced >= 1 && all.repaired >= 1);
  assert.equal((await status('s6')).source, 'redis');
  await assert.rejects(
    ask('sync', { batchId: 'nobody' }),
    (error) => error instanceof ServiceError && error.code === '404',
  );
  await assert.rejects(ask('sync', {}), (error) => error instanceof ServiceError && error.code === '400');
});

test('metrics tell of servers, batches, streams and counters', async () => {
  await using stats = component();
  await stats.start();
  await publishAll(await runningBatch('s8'));
  await until('mirrored', async () => (await status('s8')).source === 'redis');
  const metrics = await ask<ServiceMetrics>('metrics', {});
  assert.ok(metrics.servers.nats.ok && metrics.servers.mongodb.ok && metrics.servers.redis.ok);
  assert.ok(metrics.batches.DeliveryRunning! >= 1);
  assert.ok(metrics.tasksOut >= 2);
  assert.equal(metrics.consumers['SMS_EVENTS/stats']!.waiting, 0);
  assert.ok(metrics.streams.SMS_EVENTS!.messages > 0);
  assert.ok('smsbatch_stats_updates_total{result=taken}' in metrics.counters);
});

test('poison goes to the dead letters, and holds nothing up', async () => {
  await using stats = component();
  await stats.start();
  await publish('s7', 'progress', { batchId: 's7', version: 'one' });
  await publishAll(await runningBatch('s7'));
  await mirrored('s7');
  assert.equal((await nats.jsm.streams.info(STREAMS.dead)).state.messages, 1);
});
