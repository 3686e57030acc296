import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BatchView } from '../../contracts/batch-api.ts';
import { STREAMS } from '../../contracts/subjects.ts';
import { type PrivateCopy, privateCopy } from '../../scripts/servers/private-copy.ts';
import { findNatsCli } from '../../scripts/testing/nats-cli.ts';
import { engineRig, phoneOf, type Rig } from '../engine/rig.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const example = (name: string) => fileURLToPath(new URL(`../../examples/watchers/${name}`, import.meta.url));
const WITHIN = { timeout: 60_000 };

let rig: Rig;
let folder: string;
before(async () => {
  rig = await engineRig({ processes: { host: ['batch', 'tables', 'steps', 'watcher'] } });
  folder = await mkdtemp(join(tmpdir(), 'smsbatch-watchers-'));
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const natsPy = (): Promise<PrivateCopy | Error> =>
  privateCopy(
    {
      title: 'nats-py 2.16.0',
      requirements: 'nats-py.txt',
      python: { atLeast: '3.10', below: '3.15' },
      boundToPython: false,
      remedy: 'let pip reach PyPI',
    },
    () => {},
  ).catch((error: Error) => error);

const isHandled = () =>
  until(
    'every trigger is handled',
    async () => (await rig.jsm.streams.info(STREAMS.triggers)).state.messages === 0,
    60_000,
  );

describe('watchers of other people', () => {
  it('one in Python (nats-py): each order is one batch, however often it is told', async (t) => {
    const copy = await natsPy();
    if (copy instanceof Error) return t.skip(copy.message);
    await rig.call('rule', 'create', {
      id: 'orders',
      rule: {
        source: 'orders',
        match: [{ field: 'status', equals: 'paid' }],
        command: {
          verb: 'create',
          batchId: 'order-${event.id}',
          body: {
            start: true,
            batch: {
              name: 'Order ${event.id}',
              content: 'Hi {{name}}, your order is on its way',
              providers: ['simulator'],
              recipients: [{ phone: '${event.phone}', variables: { name: '${event.name}' } }],
            },
          },
        },
      },
    });
    const orders = join(folder, 'orders.ndjson');
    const line = (id: number, status = 'paid') =>
      `${JSON.stringify({ id, status, phone: phoneOf(id), name: `Ann ${id}` })}\n`;
    const watch = () =>
      run(copy.python, [example('orders.py'), orders, '--once'], {
        ...WITHIN,
        env: { ...process.env, PYTHONPATH: copy.dir, NATS_URL: rig.servers.natsUrl },
      });
    await writeFile(orders, line(1) + line(2, 'open') + line(3).trimEnd());
    await watch();
    await appendFile(orders, '\n');
    await watch();
    // It forgets where it was: everything is told again.
    await rm(`${orders}.position`);
    await watch();
    for (const id of [1, 3]) {
      const view = await until(
        `order ${id}`,
        () => rig.call<BatchView>('batch', 'get', { id: `order-${id}` }).catch(() => undefined),
        60_000,
      );
      assert.deepEqual([view.name, view.origin?.kind, view.origin?.id], [`Order ${id}`, 'trigger', 'orders']);
      assert.equal((await rig.ended(`order-${id}`)).counts.accepted, 1);
    }
    await isHandled();
    const { letters } = await rig.call('dead', 'list', { stream: STREAMS.triggers });
    assert.equal(letters.length, 1, 'the open order fits no rule');
    assert.match(letters[0].reason, /none of the 1 rules for source orders fits/);
    assert.equal((await rig.call('batch', 'list', {})).batches.length, 2);
  });

  it('one in shell (nats CLI): a silent job pauses its campaign, once', async (t) => {
    const cli = await findNatsCli();
    if (!cli.found) return t.skip(cli.why);
    await rig.call('rule', 'create', {
      id: 'silent-job',
      rule: {
        source: 'heartbeat',
        match: [{ field: 'job', equals: 'stock.alive' }],
        command: {
          verb: 'abort',
          batchId: 'stock-news',
          body: { reason: '${event.job} has been silent for ${event.silentSeconds} s' },
        },
      },
    });
    const batch = { name: 'stock', content: 'Hello', recipients: [{ phone: phoneOf(1) }] };
    await rig.call('batch', 'create', { id: 'stock-news', batch });
    const file = join(folder, 'stock.alive');
    await writeFile(file, '');
    const look = () =>
      run('sh', [example('heartbeat.sh'), file, '60', '--once'], {
        ...WITHIN,
        env: { ...process.env, NATS_CLI: cli.file, NATS_URL: rig.servers.natsUrl },
      });
    assert.equal((await look()).stdout, '', 'it is well');
    const longAgo = Math.floor(Date.now() / 1_000) - 600;
    await utimes(file, longAgo, longAgo);
    assert.match((await look()).stdout, /SMS_TRIGGERS/);
    assert.match((await look()).stdout, /"duplicate": ?true/, 'one outage is one event');
    assert.equal((await rig.ended('stock-news')).state, 'Aborted');
    const { history } = await rig.call('batch', 'get', { id: 'stock-news' });
    const abort = history.find(({ event }: { event: string }) => event === 'Abort');
    assert.match(abort.reason, /stock\.alive has been silent for 6\d\d s/);
  });
});
