import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { BatchView } from '../../contracts/batch-api.ts';
import { commandSubject, STREAMS } from '../../contracts/subjects.ts';
import type { ApiError } from '../../scripts/engine/api.ts';
import { engineRig, HOST, phoneOf, type Rig } from './rig.ts';

let rig: Rig;
before(async () => {
  rig = await engineRig({ processes: { 'host-a': HOST, 'host-b': ['batch'] } });
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const batchOf = (name: string) => ({ name, content: 'Hello', recipients: [{ phone: phoneOf(1) }] });

/** More batches than partitions, so that most of the 32 have some. */
async function createAll(prefix: string, count = 48): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
  await Promise.all(ids.map((id) => rig.call('batch', 'create', { id, batch: batchOf(id) })));
  return ids;
}

/**
 * Commands to all batches in turn, each numbered; what the state says in the end must be the number of commands.
 * @returns the numbers that were sent for each batch, in order
 */
function load(ids: readonly string[], everyMs = 250) {
  const sent = new Map<string, number>(ids.map((id) => [id, 0]));
  let going = true;
  const running = (async () => {
    while (going) {
      await Promise.all(
        ids.map(async (id) => {
          const n = sent.get(id)! + 1;
          await rig.js.publish(
            commandSubject(id, 'update'),
            JSON.stringify({ patch: { description: `${n}` } }),
            {
              msgID: `${id}.${n}`,
              timeout: 10_000,
            },
          );
          sent.set(id, n);
        }),
      );
      await pause(everyMs);
    }
  })();
  return {
    sent,
    async stop() {
      going = false;
      await running;
    },
  };
}

/** Once every command has had its turn: each was done once, in order. */
async function assertEachOnce(sent: Map<string, number>): Promise<void> {
  const deadlineAt = performance.now() + 60_000;
  for (const [id, n] of sent) {
    let view: BatchView;
    do {
      view = await rig.call<BatchView>('batch', 'get', { id });
      if (view.description === `${n}`) break;
      await pause(50);
    } while (performance.now() < deadlineAt);
    // Created at version 1; each of the updates changes the description, so each raises the version by one.
    assert.deepEqual([id, view.description, view.version], [id, `${n}`, n + 1]);
  }
  // Acknowledgements, and what the hosts' sweeps ask meanwhile, are on their way.
  const left = async () => (await rig.jsm.streams.info(STREAMS.commands)).state.messages;
  while ((await left()) > 0 && performance.now() < deadlineAt) await pause(50);
  assert.equal(await left(), 0, 'every command is acknowledged');
  for (const [id, n] of sent) {
    const versions = () => new Set(rig.events.of(id, 'updated').map(({ body }) => body.version)).size;
    while (versions() < n && performance.now() < deadlineAt) await pause(20);
    assert.equal(versions(), n, `${id}: one update event for each command`);
  }
}

describe('two hosts, one actor', () => {
  it('a host that is frozen in mid-load and wakes up changes nothing that was done without it', async () => {
    const ids = await createAll('frozen');
    const { sent, stop } = load(ids);
    const host = rig.processes.get('host-b')!;
    await pause(500);
    host.kill('SIGSTOP');
    // Longer than ack_wait: what it holds comes back and is done by the other host.
    await pause(6_500);
    host.kill('SIGCONT');
    await pause(1_000);
    await stop();
    await assertEachOnce(sent);
  });

  it('a host killed under load: every batch moves on within 10 s', async () => {
    const ids = await createAll('killed');
    const { sent, stop } = load(ids);
    await pause(500);
    const host = rig.processes.get('host-b')!;
    host.kill('SIGKILL');
    await host.exited;
    const killedAt = performance.now();
    // A command of each batch that was sent after the death has its turn.
    await Promise.all(
      ids.map((id) =>
        rig.events.first(`a turn of ${id}`, (seen) => seen.batchId === id && seen.event === 'updated', {
          from: rig.events.all.length,
          withinMs: 10_000,
        }),
      ),
    );
    const tookMs = performance.now() - killedAt;
    await stop();
    await rig.start('host-b', ['batch']);
    await assertEachOnce(sent);
    assert.ok(tookMs < 10_000, `${tookMs} ms`);
  });

  it('two updaters at once: the version lets one through', async () => {
    await rig.call('batch', 'create', { id: 'race', batch: batchOf('race') });
    for (let round = 0; round < 5; round++) {
      const { version } = await rig.call<BatchView>('batch', 'get', { id: 'race' });
      const outcomes = await Promise.all(
        ['x', 'y', 'z'].map((who) =>
          rig
            .call<BatchView>('batch', 'update', {
              id: 'race',
              patch: { description: `${round}${who}` },
              expectedVersion: version,
            })
            .then(({ description }) => description)
            .catch((error) => (error as ApiError).body.code),
        ),
      );
      const won = outcomes.filter((outcome) => outcome !== 'version-conflict');
      assert.equal(won.length, 1, JSON.stringify(outcomes));
      const after = await rig.call<BatchView>('batch', 'get', { id: 'race' });
      assert.deepEqual([after.version, after.description], [version + 1, won[0]]);
    }
  });
});
