import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { MongoClient } from 'mongodb';
import { parseNatsUrl } from '../../../lib/nats/address.ts';
import { isAlive } from '../../../scripts/servers/directory-lock.ts';
import { type Servers, startServers } from '../../../scripts/servers/start-servers.ts';
import { testServers } from '../../support/servers.ts';
import { until } from '../../support/until.ts';

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

test('a cluster of three: a leader killed with kill -9 loses nothing, and its node comes back', async () => {
  await using servers = await testServers(['nats'], { natsNodes: 3 });
  const { natsCluster: cluster, natsUrl } = servers;
  await cluster.healthy();
  assert.deepEqual(
    cluster.nodes.map(({ name }) => name),
    ['nats-1', 'nats-2', 'nats-3'],
  );
  const nc = await connect({ servers: parseNatsUrl(natsUrl).servers, maxReconnectAttempts: -1 });
  const manager = await jetstreamManager(nc);
  await manager.streams.add({ name: 'S', subjects: ['s'], num_replicas: 3 });
  await jetstream(nc).publish('s', 'kept');
  const leader = await until('a leader of S', async () => (await cluster.leaderOf('S')) ?? false);
  assert.ok(await until('a leader of all', async () => (await cluster.metaLeader()) ?? false));

  await leader.kill();
  assert.equal(leader.pid, null);
  const next = await until('another leader', async () => (await cluster.leaderOf('S')) ?? false, 60_000);
  assert.notEqual(next.name, leader.name);
  await until('kept', async () =>
    manager.streams.getMessage('S', { seq: 1 }).then(
      (message) => message?.string() === 'kept',
      () => false,
    ),
  );
  await leader.restart();
  await cluster.healthy();
  assert.throws(() => servers.dataDir('nats'), /no data folder of ours of its own/);
  assert.ok((await stat(join(leader.dataDir, 'jetstream'))).isDirectory());
  await nc.close();
});

test('a nats-server whose store has a limit refuses what does not fit, and keeps its other settings', async () => {
  await using servers = await testServers(['nats'], { natsMaxFileStoreBytes: 1_000_000 });
  const { config } = (await (await fetch(`${servers.natsMonitorUrl}/jsz`)).json()) as {
    config: { sync_always: boolean; max_storage: number; store_dir: string };
  };
  assert.deepEqual([config.sync_always, config.max_storage], [true, 1_000_000]);
  assert.equal(config.store_dir, join(servers.dataDir('nats'), 'jetstream'));
  const nc = await connect({ servers: servers.natsUrl });
  await (await jetstreamManager(nc)).streams.add({ name: 'S', subjects: ['s'] });
  const publishing = async () => {
    for (let n = 0; n < 10; n++) await jetstream(nc).publish('s', new Uint8Array(200_000));
  };
  await assert.rejects(publishing, /insufficient|resource limits|exceed/i);
  await nc.close();
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
