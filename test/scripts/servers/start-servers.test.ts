import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServers } from '../../../scripts/servers/start-servers.ts';

test('starts all', async () => {
  await using servers = await startServers();
  console.log(
    servers.started,
    servers.natsUrl,
    servers.mongoUrl,
    servers.mongoDatabase,
    servers.redisUrl,
    servers.natsMonitorUrl,
  );
  await servers.kill('nats');
  await servers.restart('nats');
  await servers.restart('redis');
  await servers.restart('mongo');
  assert.ok(true);
});
