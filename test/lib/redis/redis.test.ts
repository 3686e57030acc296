import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import { connectRedis, type RedisView } from '../../../lib/redis/connect.ts';
import { runScript, type Script } from '../../../lib/redis/script.ts';
import { testServers } from '../../support/servers.ts';

const log = pino({ level: 'silent' });
let servers: Awaited<ReturnType<typeof testServers>>;
let view: RedisView;

before(async () => {
  servers = await testServers(['redis']);
  view = connectRedis({ addr: servers.redisUrl, name: 'test', log });
  assert.ok(await view.whenReady(5_000));
});
after(async () => {
  await view.close();
  await servers.stop();
});

const add: Script<number> = {
  name: 'testAdd',
  lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
  parse: Number,
};

describe('runScript', () => {
  it('runs, also after the scripts were flushed', async () => {
    assert.equal(await runScript(view.redis, add, ['n'], [2]), 2);
    await view.redis.script('FLUSH');
    assert.equal(await runScript(view.redis, add, ['n'], [3]), 5);
  });
});

describe('connectRedis', () => {
  it('takes host:port and addresses with login and database', async () => {
    const other = connectRedis({ addr: `${servers.redisUrl}/3`, name: 'x', log });
    assert.ok(await other.whenReady(5_000));
    assert.equal(other.redis.options.db, 3);
    await other.close();
    const named = connectRedis({ addr: 'rediss://me:p%40ss@[::1]:1', name: 'x', log });
    const { host, port, username, password, tls } = named.redis.options;
    assert.deepEqual(
      { host, port, username, password, tls },
      { host: '::1', port: 1, username: 'me', password: 'p@ss', tls: {} },
    );
    await named.close();
  });

  it('away: commands fail at once and are not kept; back: it works again', async () => {
    await servers.kill('redis');
    while (view.isReady()) await new Promise(setImmediate);
    const startedAt = performance.now();
    await assert.rejects(view.redis.incr('n'));
    assert.ok(performance.now() - startedAt < 100);
    assert.equal(await view.whenReady(20), false);
    await servers.restart('redis');
    assert.ok(await view.whenReady(5_000));
    await view.redis.set('n', 1);
    assert.equal(await view.redis.get('n'), '1');
  });

  it('frozen: a command ends with its time-out', async () => {
    await servers.kill('redis', 'SIGSTOP');
    const startedAt = performance.now();
    await assert.rejects(view.redis.get('n'), /timed out/i);
    assert.ok(performance.now() - startedAt < 1_000);
    await servers.kill('redis', 'SIGCONT');
    assert.ok(await view.whenReady(5_000));
  });

  it('close may be called twice', async () => {
    const other = connectRedis({ addr: servers.redisUrl, name: 'x', log });
    await Promise.all([other.close(), other.close()]);
    assert.equal(other.isReady(), false);
  });
});
