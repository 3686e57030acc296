import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { nanos } from '@nats-io/transport-node';
import { pino } from 'pino';
import { connectNats, type Nats } from '../../../lib/nats/connect.ts';
import { deadHeader, deadLetter } from '../../../lib/nats/dead-letter.ts';
import type { Outcome } from '../../../lib/nats/outcome.ts';
import { type Publisher, publisher } from '../../../lib/nats/publish.ts';
import { type PullLoopOptions, pullLoop } from '../../../lib/nats/pull-loop.ts';
import { ensureConsumer, ensureStream } from '../../../lib/nats/streams.ts';
import { testServers } from '../../support/servers.ts';
import { until } from '../../support/until.ts';

const log = pino({ level: 'silent' });
let servers: Awaited<ReturnType<typeof testServers>>;
let nats: Nats;
let publish: Publisher['publish'];

const stream = { name: 'WORK', subjects: ['work.>'], retention: 'workqueue' } as const;
const consumer = {
  durable_name: 'c',
  ack_policy: 'explicit',
  filter_subject: 'work.>',
  ack_wait: nanos(5_000),
  max_deliver: -1,
  max_ack_pending: 1,
} as const;

async function ensure() {
  await ensureStream(nats.jsm, { ...stream, subjects: [...stream.subjects] });
  await ensureConsumer(nats.jsm, 'WORK', { ...consumer });
}

before(async () => {
  servers = await testServers(['nats']);
  nats = await connectNats({ url: servers.natsUrl, name: 'test', log });
  publish = publisher(nats).publish;
  await ensureStream(nats.jsm, { name: 'DEAD', subjects: ['dead.>'] });
});
after(async () => {
  await nats.close();
  await servers.stop();
});
beforeEach(async () => {
  await nats.jsm.streams.delete('WORK').catch(() => {});
  await ensure();
});

let id = 0;
const send = (subject: string, n = 1) =>
  Promise.all(
    Array.from({ length: n }, () => publish({ subject, stream: 'WORK', body: { n: ++id }, msgId: `w${id}` })),
  );
const loopOver = (more: Partial<PullLoopOptions> & Pick<PullLoopOptions, 'handle'>) =>
  pullLoop({ nats, stream: 'WORK', consumer: 'c', log, expiresMs: 1_000, ...more });

/** A handler that records, and a promise of its n-th call. */
function recorder(outcome: Outcome | ((call: number) => Outcome) = 'ack') {
  const calls: { data: string; deliveryCount: number; at: number }[] = [];
  const waiting: { n: number; resolve: () => void }[] = [];
  return {
    calls,
    reached: (n: number) =>
      calls.length >= n ? Promise.resolve() : new Promise<void>((resolve) => waiting.push({ n, resolve })),
    handle: async (message: { string(): string; info: { deliveryCount: number } }) => {
      calls.push({
        data: message.string(),
        deliveryCount: message.info.deliveryCount,
        at: performance.now(),
      });
      for (const each of waiting) if (calls.length >= each.n) each.resolve();
      return typeof outcome === 'function' ? outcome(calls.length) : outcome;
    },
  };
}

describe('pullLoop', () => {
  it('handles every message once, in order', async () => {
    const seen = recorder();
    await using running = loopOver(seen);
    await running.start();
    await send('work.a', 50);
    await seen.reached(50);
    assert.deepEqual(
      seen.calls.map((each) => JSON.parse(each.data).n),
      [...seen.calls.keys()].map((i) => id - 49 + i),
    );
    assert.equal(running.failing(), undefined);
  });

  it('30 stops under load strand nothing: the successor goes on at once, nothing comes twice', async () => {
    const total = 1_000;
    await send('work.load', total);
    const seen = recorder();
    let longestMs = 0;
    for (let stop = 1; stop <= 30; stop++) {
      const from = seen.calls.length;
      const running = loopOver(seen);
      const startedAt = performance.now();
      await running.start();
      await seen.reached(from + 1);
      longestMs = Math.max(longestMs, (seen.calls[from]?.at ?? 0) - startedAt);
      await seen.reached(from + 20 + (stop % 7));
      await running.stop();
    }
    await using last = loopOver(seen);
    await last.start();
    await seen.reached(total);
    assert.equal(new Set(seen.calls.map((each) => each.data)).size, total);
    assert.ok(seen.calls.every((each) => each.deliveryCount === 1));
    assert.ok(longestMs < 1_000, `the partition was silent for ${longestMs} ms`);
  });

  it('a stop waits for the handler and settles its message', async () => {
    let entered = () => {};
    const inHandler = new Promise<void>((resolve) => {
      entered = resolve;
    });
    const running = loopOver({
      handle: async (_message, stopping) => {
        entered();
        await new Promise((resolve) => stopping.addEventListener('abort', resolve));
        return 'ack';
      },
    });
    await send('work.slow');
    await running.start();
    await inHandler;
    await running.stop();
    await nats.nc.flush();
    assert.equal((await nats.jsm.streams.info('WORK')).state.messages, 0);
  });

  it('nak comes again, and a handler that throws is a nak', async () => {
    const seen = recorder((call) => {
      if (call === 1) return { nak: 10 };
      if (call === 2) throw new Error('MongoDB is away');
      return 'ack';
    });
    await using running = loopOver({ ...seen, onError: () => ({ nak: 10 }) });
    await running.start();
    await send('work.again');
    await seen.reached(3);
    assert.deepEqual(
      seen.calls.map((each) => each.deliveryCount),
      [1, 2, 3],
    );
  });

  it('concurrency: so many messages at once, and no more', async () => {
    await nats.jsm.consumers.update('WORK', 'c', { max_ack_pending: 100 });
    let now = 0;
    let most = 0;
    const all = recorder();
    await using running = loopOver({
      concurrency: 4,
      handle: async (message) => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setTimeout(resolve, 5));
        now -= 1;
        return all.handle(message);
      },
    });
    await running.start();
    await send('work.many', 40);
    await all.reached(40);
    assert.equal(most, 4);
  });

  it('keeps its message alive past ack_wait while the handler runs', async () => {
    await nats.jsm.consumers.update('WORK', 'c', { ack_wait: nanos(500) });
    const seen = recorder();
    await using running = loopOver({
      keepAliveEveryMs: 100,
      handle: async (message) => {
        await new Promise((resolve) => setTimeout(resolve, 1_200));
        return seen.handle(message);
      },
    });
    await using second = loopOver(seen);
    await send('work.long');
    await running.start();
    await second.start();
    await seen.reached(1);
    // The ack follows the handler's answer.
    await until('the message is acknowledged', async () => {
      return (await nats.jsm.streams.info('WORK')).state.messages === 0;
    });
    assert.equal(seen.calls.length, 1);
    assert.equal(seen.calls[0]?.deliveryCount, 1);
  });

  it('gives the message up after keepAliveMaxMs, though the handler hangs', async () => {
    await nats.jsm.consumers.update('WORK', 'c', { ack_wait: nanos(500) });
    const seen = recorder();
    let release = () => {};
    const hanging = new Promise<void>((resolve) => {
      release = resolve;
    });
    await using stuck = loopOver({
      keepAliveEveryMs: 50,
      keepAliveMaxMs: 200,
      handle: async () => {
        await hanging;
        return 'leave';
      },
    });
    await send('work.stuck');
    await stuck.start();
    await using successor = loopOver(seen);
    await successor.start();
    await seen.reached(1);
    assert.equal(seen.calls[0]?.deliveryCount, 2);
    release();
  });

  it('the consumer goes: it is made again and the work goes on', async () => {
    const seen = recorder();
    await using running = loopOver({ ...seen, ensure });
    await running.start();
    await send('work.before');
    await seen.reached(1);
    await nats.jsm.consumers.delete('WORK', 'c');
    await send('work.after');
    await seen.reached(2);
  });

  it('the server is killed and comes back: the work goes on', async () => {
    const seen = recorder();
    await using running = loopOver(seen);
    await running.start();
    await send('work.before');
    await seen.reached(1);
    await servers.kill('nats');
    await servers.restart('nats');
    await send('work.after');
    await seen.reached(2);
  });

  it('a stop ends while the server is away', async () => {
    const running = loopOver(recorder());
    await running.start();
    await servers.kill('nats');
    await running.stop();
    await servers.restart('nats');
    while (!nats.connected()) await new Promise(setImmediate);
  });
});

describe('deadLetter', () => {
  it('stores the message with the reason, then ends it', async () => {
    await using running = loopOver({
      handle: (message) =>
        deadLetter({ publish }, message, {
          stream: 'DEAD',
          subject: 'dead.WORK.x',
          reason: 'body:\nnot JSON',
        }),
    });
    await publish({
      subject: 'work.poison',
      stream: 'WORK',
      body: '{"broken',
      msgId: 'poison',
      headers: { traceparent: '00-a-b-01' },
    });
    const dead = await nats.jsm.streams.info('DEAD');
    assert.equal(dead.state.messages, 0);
    await running.start();
    const arrived = nats.nc.subscribe('dead.>', { max: 1 });
    for await (const letter of arrived) {
      assert.equal(letter.string(), '{"broken');
      assert.equal(letter.headers?.get(deadHeader.reason), 'body: not JSON');
      assert.equal(letter.headers?.get(deadHeader.subject), 'work.poison');
      assert.equal(letter.headers?.get(deadHeader.deliveries), '1');
      assert.equal(letter.headers?.get('traceparent'), '00-a-b-01');
    }
    await running.stop();
    await nats.nc.flush();
    assert.equal((await nats.jsm.streams.info('WORK')).state.messages, 0);
  });
});
