import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { nanos } from '@nats-io/transport-node';
import { pino } from 'pino';
import { parseNatsUrl } from '../../../lib/nats/address.ts';
import { ConfigMismatchError, differences } from '../../../lib/nats/config-difference.ts';
import { connectNats, type Nats } from '../../../lib/nats/connect.ts';
import { refuseOldServer } from '../../../lib/nats/server-floor.ts';
import { ensureConsumer, ensureStream } from '../../../lib/nats/streams.ts';
import { testServers } from '../../support/servers.ts';

const log = pino({ level: 'silent' });
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

const commands = {
  name: 'COMMANDS',
  subjects: ['cmd.*.*'],
  retention: 'workqueue',
  discard: 'new',
  max_bytes: 1_000_000,
  num_replicas: 1,
  subject_transform: { src: 'cmd.*.*', dest: 'cmd.{{partition(4,1)}}.{{wildcard(1)}}.{{wildcard(2)}}' },
} as const;
const mutable = <T>(value: T) => structuredClone(value) as never;

describe('ensureStream', () => {
  it('creates it, finds it equal afterwards, and bears two hosts at once', async () => {
    const made = await Promise.all([1, 2, 3, 4].map(() => ensureStream(nats.jsm, mutable(commands))));
    assert.equal(new Set(made.map((each) => each.created)).size, 1);
    await ensureStream(nats.jsm, mutable(commands));
  });

  it('refuses another configuration and spells out each difference', async () => {
    await nats.jsm.streams.add({
      name: 'OTHER',
      subjects: ['other.>'],
      max_age: nanos(60_000),
      max_bytes: 100,
    });
    await assert.rejects(
      ensureStream(nats.jsm, {
        name: 'OTHER',
        subjects: ['other.*', 'more'],
        retention: 'workqueue',
        max_bytes: 500,
      }),
      (error) => {
        assert.ok(error instanceof ConfigMismatchError);
        assert.equal(
          error.message,
          [
            'Stream OTHER exists and does not fit; it was left as it is:',
            '  max_age: has 60000000000, wanted 0',
            '  max_bytes: has 100, wanted 500',
            '  subjects: has ["other.>"], wanted ["other.*","more"]',
            '  retention: has "limits", wanted "workqueue"',
          ].join('\n'),
        );
        return true;
      },
    );
    assert.equal((await nats.jsm.streams.info('OTHER')).config.max_bytes, 100);
  });

  it('names the stream that owns an overlapping subject', async () => {
    await assert.rejects(
      ensureStream(nats.jsm, { name: 'NEW', subjects: ['other.x'] }),
      /Stream NEW cannot be created: its subjects overlap other\.x of stream OTHER/,
    );
  });
});

describe('ensureConsumer', () => {
  const wanted = {
    durable_name: 'p0',
    ack_policy: 'explicit',
    filter_subject: 'cmd.0.*.*',
    max_ack_pending: 1,
    max_deliver: -1,
    ack_wait: nanos(5_000),
  } as const;

  it('creates it, finds it equal afterwards, and bears two hosts at once', async () => {
    await Promise.all([1, 2, 3].map(() => ensureConsumer(nats.jsm, 'COMMANDS', { ...wanted })));
    await ensureConsumer(nats.jsm, 'COMMANDS', { ...wanted });
  });

  it('refuses another configuration, also a limit that was not asked for', async () => {
    await nats.jsm.consumers.add('COMMANDS', {
      durable_name: 'p1',
      ack_policy: 'explicit',
      filter_subject: 'cmd.1.*.*',
      max_deliver: 3,
    });
    await assert.rejects(
      ensureConsumer(nats.jsm, 'COMMANDS', {
        durable_name: 'p1',
        ack_policy: 'explicit',
        filter_subject: 'cmd.1.*.*',
        max_ack_pending: 1,
      }),
      (error: Error) => {
        assert.match(error.message, /^Consumer p1 of stream COMMANDS exists and does not fit/);
        assert.match(error.message, /max_deliver: has 3, wanted -1/);
        assert.match(error.message, /max_ack_pending: has 1000, wanted 1/);
        return true;
      },
    );
  });
});

describe('differences', () => {
  it('what the server leaves out equals false, empty and no limit; the order of subjects is nothing', () => {
    const has = { subjects: ['b', 'a'], max_bytes: -1, metadata: { '_nats.level': '5', owner: 'us' } };
    const wanted = {
      subjects: ['a', 'b'],
      max_bytes: 0,
      sealed: false,
      sources: [],
      metadata: { owner: 'us' },
    };
    assert.deepEqual(differences(has, wanted, { max_age: 0 }), []);
    assert.deepEqual(differences({ ...has, metadata: {} }, wanted, {}).length, 1);
  });
});

describe('parseNatsUrl', () => {
  it('reads the login and the scheme, which the client drops', () => {
    assert.deepEqual(parseNatsUrl('nats://127.0.0.1:4222'), { servers: ['127.0.0.1:4222'], tls: false });
    assert.deepEqual(parseNatsUrl('tls://me:p%40ss@a:1, b:2'), {
      servers: ['a:1', 'b:2'],
      tls: true,
      user: 'me',
      password: 'p@ss',
    });
    assert.deepEqual(parseNatsUrl('nats://t0ken@[::1]:4222'), {
      servers: ['[::1]:4222'],
      tls: false,
      token: 't0ken',
    });
    assert.throws(
      () => parseNatsUrl('nats://me:secret@'),
      /NATS address nats:\/\/\*\*\*@: the host is missing/,
    );
  });
});

describe('connectNats', () => {
  it('refuses a server below the floor, in words', () => {
    assert.throws(
      () => refuseOldServer({ version: '2.11.4', api_lvl: 1, server_name: 'n1' }),
      /nats-server 2\.11\.4 \(n1\) is too old: its JetStream API level is 1; smsbatch needs level 4, that is nats-server 2\.14 or later/,
    );
    assert.throws(() => refuseOldServer({ version: '2.9.0', server_name: 'n1' }), /level is 0/);
  });

  it('says which address does not answer, without the login', async () => {
    await assert.rejects(
      connectNats({ url: 'nats://me:secret@127.0.0.1:1', name: 'test', log, connectTimeoutMs: 10 }),
      /^Error: NATS at nats:\/\/\*\*\*@127\.0\.0\.1:1: /,
    );
  });

  it('close may be called twice', async () => {
    const other = await connectNats({ url: servers.natsUrl, name: 'test', log });
    assert.ok(other.connected());
    await Promise.all([other.close(), other.close()]);
    assert.equal(other.connected(), false);
  });
});
