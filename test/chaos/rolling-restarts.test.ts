import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type { BatchView } from '../../contracts/batch-api.ts';
import { PARTITIONS } from '../../contracts/subjects.ts';
import { ApiError } from '../../scripts/engine/api.ts';
import { engineRig, HOST, phoneOf, type Rig } from '../engine/rig.ts';

const STOPS = 30;
/** Side by side, since a start costs a second; host-a alone is always there. */
const SLOTS = ['host-b', 'host-c', 'host-d'];
const SILENT_MS = 1_000;
const PROBE_EVERY_MS = 500;

let rig: Rig;
before(async () => {
  rig = await engineRig({ processes: { 'host-a': HOST, 'host-b': ['batch'] } });
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One batch in each of the 32 partitions, by the hash that the server's `partition()` uses (FNV-1a). */
async function createOnePerPartition(prefix: string): Promise<string[]> {
  const found = new Map<number, string>();
  for (let n = 0; found.size < PARTITIONS; n++) {
    const id = `${prefix}-${n}`;
    let hash = 0x811c9dc5;
    for (const byte of Buffer.from(id)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    if (!found.has(hash % PARTITIONS)) found.set(hash % PARTITIONS, id);
  }
  const ids = [...found.values()];
  await Promise.all(
    ids.map((id) =>
      rig.call('batch', 'create', {
        id,
        batch: { name: id, content: 'Hello', recipients: [{ phone: phoneOf(1) }] },
      }),
    ),
  );
  return ids;
}

interface Reply {
  id: string;
  sentAt: number;
  answeredAt: number;
}

/** Round trips of commands to each batch, one after the other, while `work` goes on. */
async function repliesDuring(ids: readonly string[], work: () => Promise<void>): Promise<Reply[]> {
  const replies: Reply[] = [];
  let going = true;
  const probes = ids.map(async (id, index) => {
    await pause((index * PROBE_EVERY_MS) / ids.length);
    for (let n = 0; going; n++) {
      const sentAt = performance.now();
      try {
        await rig.call('batch', 'update', { id, patch: { campaignName: `${n}` } });
      } catch (error) {
        if (error instanceof ApiError) throw error;
        // The process that took the request may be gone, and with it the answer; the command is not lost.
        continue;
      }
      replies.push({ id, sentAt, answeredAt: performance.now() });
      await pause(PROBE_EVERY_MS);
    }
  });
  await work();
  going = false;
  await Promise.all(probes);
  return replies;
}

/**
 * How much longer the slowest answers took than nine in ten of those given at the same time by other partitions: a machine
 * that is busy slows all of them down, a message that lies with nobody only one.
 */
function longestSilence(replies: readonly Reply[]): { ms: number; id: string } {
  const took = ({ sentAt, answeredAt }: Reply) => answeredAt - sentAt;
  let longest = { ms: 0, id: '' };
  for (const slow of replies.filter((reply) => took(reply) > SILENT_MS)) {
    const others = replies
      .filter(
        ({ id, sentAt, answeredAt }) =>
          id !== slow.id && sentAt < slow.answeredAt && answeredAt > slow.sentAt,
      )
      .map(took)
      .sort((a, b) => a - b);
    const ms = took(slow) - (others[Math.floor(others.length * 0.9)] ?? 0);
    if (ms > longest.ms) longest = { ms: Math.round(ms), id: slow.id };
  }
  return longest;
}

it('hosts stopped and started 30 times under load: no partition is silent for longer than a second, nothing is lost', async (t) => {
  const ids = await createOnePerPartition('often');
  const replies = await repliesDuring(ids, async () => {
    await Promise.all(
      SLOTS.map(async (name) => {
        for (let round = 0; round < STOPS / SLOTS.length; round++) {
          await rig.processes.get(name)?.stop();
          await rig.start(name, ['batch']);
        }
      }),
    );
  });
  const longestMs = Math.max(...replies.map(({ sentAt, answeredAt }) => Math.round(answeredAt - sentAt)));
  const silence = longestSilence(replies);
  t.diagnostic(JSON.stringify({ replies: replies.length, longestMs, silence }));
  for (const id of ids) {
    const { campaignName, version } = await rig.call<BatchView>('batch', 'get', { id });
    assert.equal(Number(campaignName), version - 2, `${id}: each update once`);
  }
  assert.ok(silence.ms < SILENT_MS, `${silence.id} was silent ${silence.ms} ms longer than the others`);
});
