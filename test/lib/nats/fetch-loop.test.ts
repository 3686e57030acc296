import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { nanos } from '@nats-io/transport-node';
import fc from 'fast-check';
import { pino } from 'pino';
import { connectNats, type Nats } from '../../../lib/nats/connect.ts';
import { type FetchLoopOptions, fetchLoop } from '../../../lib/nats/fetch-loop.ts';
import { inGroups } from '../../../lib/nats/in-groups.ts';
import { type Publisher, publisher } from '../../../lib/nats/publish.ts';
import { ensureConsumer, ensureStream } from '../../../lib/nats/streams.ts';
import { testServers } from '../../support/servers.ts';

const log = pino({ level: 'silent' });
let servers: Awaited<ReturnType<typeof testServers>>;
let nats: Nats;
let publish: Publisher['publish'];

before(async () => {
  servers = await testServers(['nats']);
  nats = await connectNats({ url: servers.natsUrl, name: 'test', log });
  publish = publisher(nats).publish;
});
after(async () => {
  await nats.close();
  await servers.stop();
});
beforeEach(async () => {
  await nats.jsm.streams.delete('RECEIPTS').catch(() => {});
  await ensureStream(nats.jsm, { name: 'RECEIPTS', subjects: ['receipt.>'], retention: 'workqueue' });
  await ensureConsumer(nats.jsm, 'RECEIPTS', {
    durable_name: 'r',
    ack_policy: 'explicit',
    filter_subject: 'receipt.>',
    ack_wait: nanos(5_000),
    max_deliver: -1,
    max_ack_pending: 2_000,
  });
});

let id = 0;
const send = (n: number) =>
  Promise.all(
    Array.from({ length: n }, () =>
      publish({ subject: 'receipt.p', stream: 'RECEIPTS', body: `${++id}`, msgId: `r${id}` }),
    ),
  );
const loopOver = (handle: FetchLoopOptions['handle'], more: Partial<FetchLoopOptions> = {}) =>
  fetchLoop({
    nats,
    stream: 'RECEIPTS',
    consumer: 'r',
    log,
    expiresMs: 1_000,
    maxMessages: 100,
    lingerMs: 20,
    handle,
    ...more,
  });

/** The server works through the acks in its own time; what is stranded stays pending for an ack_wait of 5 s. */
async function settled(stop: number): Promise<void> {
  for (const until = performance.now() + 1_000; ; ) {
    const { num_ack_pending } = await nats.jsm.consumers.info('RECEIPTS', 'r');
    if (num_ack_pending === 0) return;
    assert.ok(performance.now() < until, `stop ${stop} stranded ${num_ack_pending}`);
  }
}

/** Counts messages and resolves when `total` have come. */
function counter(total: number) {
  const seen: { data: string; deliveryCount: number }[] = [];
  const sizes: number[] = [];
  let done = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  return {
    seen,
    sizes,
    all,
    handle: async (messages: readonly { string(): string; info: { deliveryCount: number } }[]) => {
      sizes.push(messages.length);
      for (const each of messages) seen.push({ data: each.string(), deliveryCount: each.info.deliveryCount });
      if (seen.length >= total) done();
      return 'ack' as const;
    },
  };
}

describe('fetchLoop', () => {
  it('groups what is there, every message once', async () => {
    await send(250);
    const c = counter(250);
    await using running = loopOver(c.handle);
    await running.start();
    await c.all;
    assert.equal(new Set(c.seen.map((each) => each.data)).size, 250);
    assert.ok(c.sizes.every((size) => size <= 100));
    assert.ok(c.sizes.length <= 6, `${c.sizes}`);
  });

  it('a group that is not full waits no longer than it lingers', async () => {
    const c = counter(1);
    await using running = loopOver(c.handle);
    await running.start();
    const sentAt = performance.now();
    await send(1);
    await c.all;
    assert.ok(performance.now() - sentAt < 800, 'it waited for the pull to end');
  });

  it('stops under load strand nothing', async () => {
    const total = 4_000;
    await send(total);
    const c = counter(total);
    for (let i = 0; i < 8; i++) {
      const before = c.sizes.length;
      const running = loopOver(c.handle);
      await running.start();
      while (c.sizes.length === before) await new Promise(setImmediate);
      await running.stop();
      await settled(i);
    }
    await using last = loopOver(c.handle);
    await last.start();
    await c.all;
    assert.equal(new Set(c.seen.map((each) => each.data)).size, total);
    assert.ok(c.seen.every((each) => each.deliveryCount === 1));
  });

  it('one outcome each', async () => {
    await send(3);
    const deliveries: string[] = [];
    let again = () => {};
    const cameAgain = new Promise<void>((resolve) => {
      again = resolve;
    });
    await using running = loopOver(async (messages) => {
      return messages.map((each, i) => {
        deliveries.push(`${each.string()}/${each.info.deliveryCount}`);
        if (each.info.deliveryCount > 1) again();
        return i === 1 ? { nak: 10 } : 'ack';
      });
    });
    await running.start();
    await cameAgain;
    assert.equal(deliveries.length, 4);
    assert.equal(deliveries[3], `${id - 1}/2`);
  });

  it('a handler slower than the pull and than ack_wait gets nothing twice', async () => {
    await nats.jsm.consumers.update('RECEIPTS', 'r', { ack_wait: nanos(500) });
    await send(4);
    const c = counter(4);
    await using running = loopOver(
      async (messages) => {
        await new Promise((resolve) => setTimeout(resolve, 1_200));
        return c.handle(messages);
      },
      { keepAliveEveryMs: 100, maxMessages: 2 },
    );
    await running.start();
    await c.all;
    assert.deepEqual(
      c.seen.map((each) => each.deliveryCount),
      [1, 1, 1, 1],
    );
    assert.equal(running.failing(), undefined);
  });
});

describe('inGroups', () => {
  it('loses, repeats and reorders nothing, whatever the pace', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(3), { maxLength: 40 }),
        fc.integer({ min: 1, max: 7 }),
        async (pauses, maxSize) => {
          async function* source() {
            for (const [i, pause] of pauses.entries()) {
              for (let n = 0; n < pause; n++) await new Promise(setImmediate);
              yield i;
            }
          }
          const groups: number[][] = [];
          for await (const group of inGroups(source(), maxSize, 1)) groups.push(group);
          assert.deepEqual(groups.flat(), [...pauses.keys()]);
          assert.ok(groups.every((group) => group.length >= 1 && group.length <= maxSize));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('an error of the source comes after what it had yielded', async () => {
    async function* source() {
      yield 1;
      throw new Error('stream not found');
    }
    const groups: number[][] = [];
    await assert.rejects(async () => {
      for await (const group of inGroups(source(), 10, 1)) groups.push(group);
    }, /stream not found/);
    assert.deepEqual(groups, [[1]]);
  });
});
