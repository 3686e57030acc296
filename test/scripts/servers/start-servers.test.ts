import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { MongoClient } from 'mongodb';
import { isAlive } from '../../../scripts/servers/directory-lock.ts';
import { type Servers, startServers } from '../../../scripts/servers/start-servers.ts';
import { testServers } from '../../support/servers.ts';

// Without NATS_URL and the like, which a developer may have set.
const { SMSBATCH_LOG_DIR } = process.env;
const logsOnly = { SMSBATCH_LOG_DIR };

async function inMongo<T>(
  servers: Servers,
  use: (db: ReturnType<MongoClient['db']>) => Promise<T>,
): Promise<T> {
  const client = new MongoClient(servers.mongoUrl);
  try {
    return await use(client.db(servers.mongoDatabase));
  } finally {
    await client.close();
  }
}

test('the three servers, with the configuration that ships', async () => {
  await using servers = await testServers();
  assert.match(servers.mongoUrl, /[?&]retryWrites=false(&|$)/);

  const { config } = (await (await fetch(`${servers.natsMonitorUrl}/jsz`)).json()) as {
    config: { sync_always: boolean };
  };
  assert.equal(config.sync_always, true, 'JetStream syncs before it acknowledges');

  const redis = new Redis(servers.redisUrl);
  assert.deepEqual(await redis.config('GET', 'maxmemory-policy'), ['maxmemory-policy', 'noeviction']);
  redis.disconnect();
  await inMongo(servers, (db) => db.collection('c').insertOne({}));
});

test('a nats-server killed with kill -9 comes back on its port, with its streams', async () => {
  await using servers = await testServers(['nats']);
  const before = servers.natsUrl;
  const nc = await connect({ servers: before });
  const manager = await jetstreamManager(nc);
  await manager.streams.add({ name: 'S', subjects: ['s.>'] });
  await manager.consumers.add('S', { durable_name: 'c', ack_policy: AckPolicy.Explicit });
  await jetstream(nc).publish('s.1', 'kept');
  await nc.close();

  await servers.kill('nats');
  await assert.rejects(connect({ servers: before, reconnect: false }));
  await servers.restart('nats');

  assert.equal(servers.natsUrl, before);
  const again = await connect({ servers: servers.natsUrl });
  const message = await (await jetstream(again).consumers.get('S', 'c')).next();
  assert.equal(message?.string(), 'kept');
  await again.close();
});

test('what MongoDB acknowledged with j: true is there after kill -9', async () => {
  await using servers = await testServers(['mongo'], { ownMongo: true });
  const writeConcern = { w: 'majority', j: true } as const;
  await inMongo(servers, async (db) => {
    for (let n = 0; n < 50; n++)
      await db.collection<{ _id: number }>('kept').insertOne({ _id: n }, { writeConcern });
  });
  await servers.kill('mongo');
  await servers.restart('mongo');
  assert.equal(await inMongo(servers, (db) => db.collection('kept').countDocuments()), 50);
});

test('a server can be frozen and thawed', async () => {
  await using servers = await testServers(['redis']);
  const redis = new Redis(servers.redisUrl, { maxRetriesPerRequest: null });
  await redis.ping();
  await servers.kill('redis', 'SIGSTOP');
  let answered = false;
  const pong = redis.ping().then(() => {
    answered = true;
  });
  // A round trip to this machine's network and back: a server that runs would have answered by then.
  await fetch('http://127.0.0.1:9/').catch(() => {});
  assert.equal(answered, false);
  await servers.kill('redis', 'SIGCONT');
  await pong;
  redis.disconnect();
});

test('stop ends the servers and removes their data; twice is once', async () => {
  const servers = await testServers(['nats', 'redis']);
  const pids = servers.started.map(({ pid }) => pid ?? assert.fail());
  assert.equal(pids.length, 2);
  await Promise.all([servers.stop(), servers.stop()]);
  for (const pid of pids) assert.equal(isAlive(pid), false);
  await servers.stop();
  assert.deepEqual(
    servers.started.map(({ pid }) => pid),
    [null, null],
  );
});

test('data in a folder of the caller outlives the run, on the same ports; two runs cannot share it', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'smsbatch-keep-'));
  try {
    const options = { servers: ['nats'] as const, dataDir, label: 'keep', environment: logsOnly };
    const first = await startServers(options);
    await assert.rejects(startServers(options), /in use by another run/);
    const nc = await connect({ servers: first.natsUrl });
    await (await jetstreamManager(nc)).streams.add({ name: 'KEPT', subjects: ['kept'] });
    await nc.close();
    await first.stop();
    assert.ok((await stat(join(dataDir, 'nats'))).isDirectory());

    await using second = await startServers(options);
    assert.equal(second.natsUrl, first.natsUrl);
    const again = await connect({ servers: second.natsUrl });
    assert.equal((await (await jetstreamManager(again)).streams.info('KEPT')).config.name, 'KEPT');
    await again.close();
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test('servers of the environment are used as they are, and are not ours to kill', async () => {
  await using servers = await startServers({
    servers: ['mongo', 'redis'],
    environment: {
      ...logsOnly,
      MONGODB_URL: 'mongodb://db.example/?tls=true',
      REDIS_ADDR: 'cache.example:6380',
    },
    database: 'mine',
  });
  assert.equal(servers.mongoUrl, 'mongodb://db.example/?tls=true&retryWrites=false');
  assert.equal(servers.mongoDatabase, 'mine');
  assert.equal(servers.redisUrl, 'redis://cache.example:6380');
  assert.throws(() => servers.natsUrl, /nats was not among the servers asked for: mongo, redis/);
  await assert.rejects(servers.kill('redis'), /REDIS_ADDR: it is not ours/);
});

test('each file has a database of its own', async () => {
  await using one = await startServers({
    servers: ['mongo'],
    environment: { ...logsOnly, MONGODB_URL: 'mongodb://x' },
  });
  await using other = await startServers({
    servers: ['mongo'],
    environment: { ...logsOnly, MONGODB_URL: 'mongodb://x' },
  });
  assert.notEqual(one.mongoDatabase, other.mongoDatabase);
  assert.match(one.mongoDatabase, /^[A-Za-z0-9_-]{1,38}$/);
});
