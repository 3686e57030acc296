import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Cli, findNatsCli } from '../../scripts/testing/nats-cli.ts';
import { engineRig, HOST, type Rig, WORKER } from '../engine/rig.ts';
import { nats } from './nats-cli.ts';

const TOTAL = 40_000;

let rig: Rig;
let cli: Cli;
before(async () => {
  cli = await findNatsCli();
  if (!cli.found) return;
  rig = await engineRig({
    processes: { 'host-a': HOST, 'host-b': ['batch'], 'worker-a': WORKER, 'worker-b': WORKER },
    behaviour: { latencyMs: 100 },
    account: { window: 2_000 },
  });
  await rig.table('people', TOTAL);
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

const type = async (...args: string[]): Promise<string> => {
  assert.ok(cli.found);
  const { stdout, stderr } = await nats(cli.file, rig.servers.natsUrl, ...args);
  return stdout + stderr;
};

async function lastArrival(): Promise<{ lastAtMs: number; count: number }> {
  let lastAtMs = 0;
  let count = 0;
  for await (const { at } of rig.simulator.ledger()) {
    lastAtMs = Math.max(lastAtMs, at);
    count += 1;
  }
  return { lastAtMs, count };
}

describe('the nats CLI', () => {
  it('nats req and nats micro: batches are created, started and looked at from a shell', async (t) => {
    if (!cli.found) return t.skip(cli.why);
    const services = await type('micro', 'ls');
    assert.match(services, /smsbatch-batch/);
    assert.match(services, /smsbatch-tables/);
    const batch = {
      name: '测试批次',
      content: 'Hello',
      recipients: [{ phone: '+447300000001' }],
      providers: ['simulator'],
    };
    const created = JSON.parse(
      await type('req', '--raw', 'sms.api.batch.create', JSON.stringify({ id: 'cli', batch })),
    );
    assert.deepEqual([created.id, created.state, created.name], ['cli', 'Pending', '测试批次']);
    await type('req', '--raw', 'sms.api.batch.start', '{"id":"cli"}');
    const ended = JSON.parse(
      await type('req', '--raw', '--timeout', '20s', 'sms.api.batch.wait', '{"id":"cli"}'),
    );
    assert.equal(ended.state, 'Succeeded');
    const refused = await type('req', 'sms.api.batch.pause', '{"id":"cli"}');
    assert.match(refused, /state-forbids/);
    // A command is answered by JetStream's acknowledgement, and then by events.
    const stored = await type('req', '--raw', 'sms.cmd.cli.pause', '{}');
    assert.equal(JSON.parse(stored).stream, 'SMS_COMMANDS');
    assert.equal((await rig.events.rejected('cli')).body.error.code, 'state-forbids');
  });

  for (const { what, more, sentBefore } of [
    { what: 'at full speed', more: {}, sentBefore: 12_000 },
    { what: 'at 5 messages/s', more: { ratePerSecond: 5 }, sentBefore: 6 },
  ]) {
    it(`nats pub sms.cmd.<id>.pause '{}' pauses a batch ${what}: nothing later than a second`, async (t) => {
      if (!cli.found) return t.skip(cli.why);
      await rig.simulator.reset();
      const id = `cli-${sentBefore}`;
      await type(
        'pub',
        `sms.cmd.${id}.create`,
        JSON.stringify({
          batch: {
            name: id,
            content: 'Hello World',
            tableStorageName: 'people',
            providers: ['simulator'],
            ...more,
          },
        }),
      );
      await type('pub', `sms.cmd.${id}.start`, '{}');
      while ((await rig.simulator.summary()).messages! < sentBefore)
        await new Promise((resolve) => setTimeout(resolve, 20));
      await type('pub', `sms.cmd.${id}.pause`, '{}');
      const { body } = await rig.events.first(
        'the pause',
        (seen) => seen.batchId === id && seen.body.event === 'DeliveryPause',
      );
      await rig.events.state(id, 'DeliveryPaused', { withinMs: 10_000 });
      const { lastAtMs, count } = await lastArrival();
      t.diagnostic(`the last of ${count} came ${lastAtMs - Date.parse(body.at)} ms after the pause`);
      assert.ok(lastAtMs <= Date.parse(body.at) + 1_000);
      assert.ok(count < TOTAL);
      if (sentBefore < 100) await type('pub', `sms.cmd.${id}.update`, '{"patch":{"ratePerSecond":100000}}');
      await type('pub', `sms.cmd.${id}.resume`, '{}');
      assert.equal((await rig.ended(id, ['Succeeded'])).counts.accepted, TOTAL);
      const { doubled, missing, unexpected } = await rig.ledger(id);
      assert.deepEqual({ doubled, missing, unexpected }, { doubled: 0, missing: 0, unexpected: 0 });
    });
  }
});
