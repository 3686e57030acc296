import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { OUTCOME_LETTERS } from '../../contracts/outcomes.ts';
import { eachChunk } from '../../lib/batch/each-recipient.ts';
import { seededRandom } from '../../lib/random/seeded-random.ts';
import { checkLedger } from '../../scripts/engine/check-ledger.ts';
import type { LedgerEntry } from '../../scripts/engine/simulator.ts';
import { engineRig, HOST, type Rig, sumOf, WORKER } from './rig.ts';

const TOTAL = 3_000;
const KILLS = 3;
/** Recipients of a batch that sends again what is in doubt. */
const OTHERS = 900;
/** Figures of the issue that this promise comes from. */
const RESOLVED_SHARE = 0.99;

let rig: Rig;
before(async () => {
  rig = await engineRig({
    processes: { 'host-a': HOST, 'worker-a': WORKER, 'worker-b': WORKER },
    // Slow answers: much is in the socket when its worker dies. Receipts come early, doubled and late.
    behaviour: {
      latencyMs: 150,
      receipts: { share: 1, delayMs: 200, delayJitterMs: 2_000, earlyShare: 0.1, doubledShare: 0.1 },
    },
    account: { window: 400 },
  });
  await rig.table('people', TOTAL);
  await rig.table('others', OTHERS, 1_000_000);
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

/** Of the ones in doubt, what the carrier had and what became of them. */
async function doubtsOf(id: string, entries: readonly LedgerEntry[]) {
  const batch = await rig.store.batches.findOne({ _id: id });
  const life = { batchId: id, incarnation: batch!.incarnation };
  const raw = await rig.store.outcomes.find({ batchId: id }).toArray();
  const stored = new Map(raw.map((each) => [each.index, each.statuses]));
  const sent = new Map(entries.map((entry) => [entry.msisdn, entry]));
  const doubts = { inDoubt: 0, accepted: 0, resolved: 0, wrongly: 0 };
  for await (const { index, phones, outcomes } of eachChunk(rig.store, life)) {
    phones.forEach((phone, position) => {
      if (stored.get(index)![position] !== OUTCOME_LETTERS.unknown) return;
      doubts.inDoubt += 1;
      const there = sent.get(phone);
      if (there) doubts.accepted += 1;
      const { outcome, messageIds } = outcomes.recipientAt(position);
      if (outcome !== 'accepted') return;
      doubts.resolved += 1;
      if (!there || !messageIds.includes(there.messageId)) doubts.wrongly += 1;
    });
  }
  return doubts;
}

async function ledgerOf(sender: string): Promise<LedgerEntry[]> {
  const entries: LedgerEntry[] = [];
  for await (const entry of rig.simulator.ledger()) if (entry.sender === sender) entries.push(entry);
  return entries;
}

it('workers killed again and again, two batches to the same numbers: receipts resolve what was in doubt, each its own', async (t) => {
  const random = seededRandom(7);
  const batches = { one: 'Your parcel is on its way', two: 'Your account has moved' };
  for (const [id, content] of Object.entries(batches)) {
    await rig.call('batch', 'create', {
      id,
      batch: {
        name: id,
        content,
        sender: id,
        tableStorageName: 'people',
        providers: ['simulator'],
        ratePerSecond: 400,
      },
      start: true,
    });
  }
  await rig.call('batch', 'create', {
    id: 'again',
    batch: {
      name: 'again',
      content: 'Hello',
      sender: 'again',
      tableStorageName: 'others',
      providers: ['simulator'],
      ratePerSecond: 120,
      onInDoubt: 'resend',
    },
    start: true,
  });
  const messages = async (): Promise<number> => (await rig.simulator.summary()).messages!;
  for (let kill = 1; kill <= KILLS; kill++) {
    const at = (TOTAL * 2 * 0.85 * (kill - 1 + random())) / KILLS;
    while ((await messages()) < at) await new Promise((resolve) => setTimeout(resolve, 20));
    const out = await rig.store.tasks.find({ step: 'delivery', out: true }).toArray();
    const holders = [...new Set(out.flatMap(({ holder }) => holder ?? []))].sort();
    const victim = rig.processes.get(holders[Math.floor(random() * holders.length)] ?? 'worker-a')!;
    victim.kill('SIGKILL');
    await victim.exited;
    await rig.start(victim.name, WORKER);
  }
  const sums = { inDoubt: 0, accepted: 0, resolved: 0, wrongly: 0 };
  const deadlineAt = performance.now() + 60_000;
  for (const id of Object.keys(batches)) {
    const ended = await rig.ended(id, ['Succeeded']);
    const entries = await ledgerOf(id);
    let doubts = await doubtsOf(id, entries);
    while (doubts.resolved < doubts.accepted && performance.now() < deadlineAt) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      doubts = await doubtsOf(id, entries);
    }
    for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += doubts[key];
    const account = await rig.account(id);
    assert.equal(sumOf(account), TOTAL);
    assert.equal(account.counts.unknown, doubts.inDoubt - doubts.resolved);
    const check = await checkLedger(
      rig.store,
      { batchId: id, incarnation: ended.incarnation },
      (async function* () {
        yield* entries;
      })(),
    );
    const { missing, unexpected, doubled } = check;
    assert.deepEqual({ missing, unexpected, doubled }, { missing: 0, unexpected: 0, doubled: 0 });
    // Also after the end the counts that people see follow.
    await rig.events.first(
      'recounted',
      ({ batchId, event, body }) =>
        batchId === id && event === 'recounted' && isDeepStrictEqual(body.counts, account.counts),
      { withinMs: 60_000 },
    );
  }
  const share = sums.accepted === 0 ? 0 : sums.resolved / sums.accepted;
  t.diagnostic(
    `in doubt ${sums.inDoubt}, of which the carrier had ${sums.accepted}; ` +
      `resolved ${sums.resolved} (${(100 * share).toFixed(2)} %), wrongly ${sums.wrongly}`,
  );
  assert.ok(sums.accepted > 0, 'nothing was in doubt');

  const view = await rig.ended('again', ['Succeeded']);
  const resentOf = (documents: readonly { resent: number }[]) =>
    documents.reduce((sum, { resent }) => sum + resent, 0);
  const resent = resentOf(await rig.store.outcomes.find({ batchId: 'again' }).toArray());
  assert.equal(view.counts.accepted, OTHERS);
  assert.equal(view.resent ?? 0, resent);
  assert.equal((await rig.call('batch', 'status', { id: 'again' })).resent ?? 0, resent);
  const entries = await ledgerOf('again');
  const doubled = entries.length - new Set(entries.map(({ msisdn }) => msisdn)).size;
  t.diagnostic(`onInDoubt: resend: ${resent} sent again, of which ${doubled} had come the first time`);
  assert.ok(doubled <= resent, `${doubled} came twice, ${resent} were sent again`);
  assert.equal(sums.wrongly, 0);
  assert.ok(share >= RESOLVED_SHARE, `${sums.resolved} of ${sums.accepted}`);
});
