import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { silentLogger } from '../../../lib/log/logger.ts';
import { connectNats, type Nats } from '../../../lib/nats/connect.ts';
import { type Presence, presence } from '../../../lib/presence/presence.ts';
import { testServers } from '../../support/servers.ts';

const log = silentLogger();
let servers: Awaited<ReturnType<typeof testServers>>;
let nats: Nats;

before(async () => {
  servers = await testServers(['nats']);
  nats = await connectNats({ url: servers.natsUrl, name: 'test', log });
});
after(async () => {
  await nats.close();
  await servers.stop();
});

const host = (hostId: string, service: string, more: object = {}) =>
  presence({ nats, subject: `sms.presence.${service}`, hostId, log, everyMs: 20, ...more });

/** Waits on what the part itself says; a second is many of its periods. */
async function until(of: Presence, hosts: number): Promise<void> {
  for (const end = performance.now() + 1_000; of.liveHosts() !== hosts; ) {
    assert.ok(performance.now() < end, `${of.liveHosts()} hosts, not ${hosts}`);
    await new Promise(setImmediate);
  }
}

describe('presence', () => {
  it('is one before anybody is heard, counts the others, and those that leave are gone at once', async () => {
    const [a, b, c] = [host('a', 's1'), host('b', 's1'), host('c', 's2')];
    assert.equal(a.liveHosts(), 1);
    await Promise.all([a.start(), b.start(), c.start()]);
    await until(a, 2);
    await until(b, 2);
    assert.equal(c.liveHosts(), 1, 'another service is not one of them');
    await b.stop();
    await until(a, 1);
    await Promise.all([a.stop(), c.stop()]);
  });

  it('one that falls silent is gone after goneAfterMs', async () => {
    let nowMs = 0;
    await using a = host('a', 's3', { now: () => nowMs });
    await a.start();
    nats.nc.publish('sms.presence.s3.dead', 'here');
    await until(a, 2);
    nowMs = 2_999;
    assert.equal(a.liveHosts(), 2);
    nowMs = 3_001;
    nats.nc.publish('sms.presence.s3.a', 'here');
    await until(a, 1);
  });

  it('while NATS is away nobody counts as gone, or each would take the whole rate', async () => {
    let nowMs = 0;
    let connected = true;
    await using a = presence({
      nats: { nc: nats.nc, connected: () => connected },
      subject: 'sms.presence.s4',
      hostId: 'a',
      log,
      now: () => nowMs,
    });
    await a.start();
    nats.nc.publish('sms.presence.s4.b', 'here');
    await until(a, 2);
    connected = false;
    nowMs = 60_000;
    assert.equal(a.liveHosts(), 2);
    connected = true;
    nowMs = 62_000;
    assert.equal(a.liveHosts(), 2, 'they have a moment to be heard again');
    nowMs = 63_001;
    assert.equal(a.liveHosts(), 1);
  });
});
