import type { BatchStatus } from '../../contracts/stats-api.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { accountOf } from '../../lib/stats/account.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import { callApi } from '../engine/api.ts';
import { campaignPeople } from './campaign.ts';
import { type CarrierPages, familyOf, readCarrierBook, SCHEDULE_SENDER } from './carrier-book.ts';
import { checkEnds, checkPoison, checkRaws, readEvents } from './check-ends.ts';
import { checkFamily, type Family, type FamilyFigures, noFigures } from './check-family.ts';
import { lateSubmits } from './check-stops.ts';
import { saveEvidence } from './evidence.ts';
import type { FaultDone } from './fault.ts';
import type { FaultKind } from './fault-kinds.ts';
import { brokenPromises, type ChaosResult } from './result.ts';
import type { Scene } from './scene.ts';
import type { Settled } from './settle.ts';
import { phoneOf } from './tables.ts';
import { isWorker, SMPP_WINDOW } from './world.ts';

/** Receipts and recounts that are on their way. */
const QUIET_MS = 5_000;
const AGREE_WITHIN_MS = 60_000;
const INTENT_WINDOW = 500;
const EXAMPLES = 20;
const BROKER_RESTARTS = new Set<FaultKind>([
  'nats',
  'power',
  'wipe',
  'leader',
  'followers',
  'quorum',
  'rolling',
]);

export async function checkAll(scene: Scene, settled: Settled): Promise<ChaosResult> {
  const { users, nc, faults, options, world, attempts, forward, strange } = scene;
  const patienceMs = settled.broken ? 0 : AGREE_WITHIN_MS;
  const schedule = await scene.campaign.end(patienceMs);
  await receiptsAreIn(scene, patienceMs);
  await sleep(Math.min(QUIET_MS, patienceMs));
  await forward.look([...users.batches.keys()]);
  const all = await allBatches(scene);
  // What still goes on has no books to compare.
  const batches = settled.broken ? endedFamilies(all) : all;
  const book = await readBook(scene);
  const figures = await checkBooks(scene, batches, book);
  const strangeSenders = strangers(book, all);

  const stops = { stops: 0, lateAfterPause: 0, lateAfterAbort: 0, lateFromFrozen: 0, latestMs: 0 };
  for (const { id, family } of users.batches.values()) {
    const late = lateSubmits(attempts.of(id), book.get(family)?.submittedAtMs ?? [], faults);
    stops.latestMs = Math.max(stops.latestMs, late.latestMs);
    for (const key of ['stops', 'lateAfterPause', 'lateAfterAbort', 'lateFromFrozen'] as const)
      stops[key] += late[key];
  }
  const lostAtMs = Math.max(
    0,
    ...faults.filter(({ kind }) => kind === 'wipe' || kind === 'power').map(({ toMs }) => toMs),
  );
  const events = await readEvents(nc);
  const ends = checkEnds(events, batches, lostAtMs);
  const silent = [
    ...(await checkPoison(nc, strange.poison, lostAtMs)),
    ...checkRaws(events, users.raws, lostAtMs),
  ];
  const differing = await differingInRedis(scene, batches, patienceMs);
  const summary = await world.simulator.summary();
  const struck = faults.flatMap(({ targets }) => targets.filter(isWorker));
  const resolvable = figures.resolved + figures.unknownReceived;

  const result: ChaosResult = {
    ok: false,
    seed: options.seed,
    seconds: options.seconds,
    faults: countByKind(faults),
    kills: targetsOf(faults, 'kill').length,
    workerKills: targetsOf(faults, 'kill').filter(isWorker).length,
    freezes: targetsOf(faults, 'freeze').length,
    brokerRestarts: faults.filter(({ kind }) => BROKER_RESTARTS.has(kind)).length,
    databaseRestarts: faults.filter(({ kind }) => kind === 'mongo').length,
    batches: batches.length,
    attempts: {
      ok: attempts.all.filter(({ outcome }) => outcome === 'ok').length,
      refused: attempts.all.filter(({ outcome }) => outcome === 'refused').length,
      unknown: attempts.all.filter(({ outcome }) => outcome === 'unknown').length,
    },
    messages: figures.messages,
    unknown: figures.unknown,
    unknownAllowed:
      struck.length * (SMPP_WINDOW + 2 * INTENT_WINDOW) +
      (summary.noAnswer ?? 0) +
      droppedBinds(faults) * 2 * SMPP_WINDOW,
    unknownReceived: figures.unknownReceived,
    resolved: figures.resolved,
    resolvedShare: resolvable === 0 ? 1 : figures.resolved / resolvable,
    resent: figures.resent,
    resentDoubles: figures.resentDoubles,
    lost: figures.lost,
    doubled: figures.doubled,
    unexpected: figures.unexpected + strangeSenders.length,
    wronglyClaimed: figures.wronglyClaimed,
    identityBroken: figures.identityBroken,
    stops: stops.stops,
    lateAfterPause: stops.lateAfterPause,
    lateAfterAbort: stops.lateAfterAbort,
    lateFromFrozen: stops.lateFromFrozen,
    latestSubmitMs: Math.round(stops.latestMs),
    backwards: forward.backwards.length,
    endedTwice: ends.endedTwice.length,
    endedNever: ends.endedNever.length,
    endedOpen: events.endedOpen.length,
    scheduledRuns: schedule.dues.length,
    scheduledTwice: scene.campaign.twice.length,
    scheduledNever: schedule.unexplained.length,
    redisDiffers: differing.length,
    rawCommands: users.raws.length,
    silent: silent.length,
    obeyedStale: attempts.all.filter((attempt) => attempt.obeyedStale).length,
    stuck: settled.stuck.length,
    answeredAfterMs: settled.answeredAfterMs,
    settledAfterMs: settled.settledAfterMs,
    diedAlone: world.diedAlone.length,
    examples: [
      ...figures.examples,
      ...strangeSenders.map((key) => `received from ${key}, of which there is no batch`),
      ...forward.backwards,
      ...ends.endedTwice.map((id) => `${id}: its end stands twice in SMS_EVENTS`),
      ...ends.endedNever.map((id) => `${id}: its end does not stand in SMS_EVENTS`),
      ...events.endedOpen.map((id) => `${id}: succeeded with open recipients`),
      ...schedule.unexplained.map((due) => `the schedule says nothing of ${due}`),
      ...silent.map((id) => `${id}: no answer and no dead letter`),
      ...differing,
      ...settled.stuck,
      ...world.diedAlone.map(
        ({ name, code, atMs }) => `${name} ended by itself with ${code} at ${new Date(atMs).toISOString()}`,
      ),
    ].slice(0, EXAMPLES),
    logDir: world.servers.logDir,
  };
  result.ok = brokenPromises(result).length === 0;
  if (!result.ok) await saveEvidence(scene, result.examples);
  return result;
}

export const allBatches = ({ store }: Scene): Promise<BatchDocument[]> =>
  store.batches.find({ dryRun: { $exists: false } }).toArray();

/** Batches that have ended, with all that share their sender: a child sends what its parent did not. */
export function endedFamilies(batches: readonly BatchDocument[]): BatchDocument[] {
  const open = new Set(batches.filter(({ endedAt }) => endedAt === undefined).map(keyOf));
  return batches.filter((batch) => !open.has(keyOf(batch)));
}

export const readBook = ({ world }: Scene): Promise<Map<string, CarrierPages>> =>
  readCarrierBook(world.simulator.ledger());

/** Three books of each family: ours, the carrier's, the table. */
export async function checkBooks(
  { store, users }: Scene,
  batches: readonly BatchDocument[],
  book: Map<string, CarrierPages>,
): Promise<FamilyFigures> {
  const sum = noFigures();
  for (const family of familiesOf(batches, users.batches)) {
    const { examples, ...figures } = await checkFamily(store, family, book.get(family.key));
    for (const [name, value] of Object.entries(figures)) sum[name as keyof typeof figures] += value;
    sum.examples.push(...examples);
  }
  return sum;
}

const keyOf = ({ definition: { sender = '', content } }: BatchDocument): string => familyOf(sender, content);

/** Senders that only the carrier knows. */
function strangers(book: Map<string, CarrierPages>, batches: readonly BatchDocument[]): string[] {
  const keys = new Set(batches.map(keyOf));
  return [...book.keys()].filter((key) => !keys.has(key));
}

function* familiesOf(batches: readonly BatchDocument[], known: Scene['users']['batches']): Generator<Family> {
  const byKey = new Map<string, BatchDocument[]>();
  // Parents first.
  for (const batch of [...batches].sort((a, b) => a._id.length - b._id.length)) {
    byKey.set(keyOf(batch), [...(byKey.get(keyOf(batch)) ?? []), batch]);
  }
  for (const [key, own] of byKey) {
    const table = known.get(own[0]!._id)?.table;
    const people = key.startsWith(`${SCHEDULE_SENDER} `)
      ? campaignPeople()
      : new Set(Array.from({ length: table?.rows ?? 0 }, (_, n) => phoneOf(n)));
    yield { key, batches: own, people };
  }
}

/** Processes that were killed, or frozen, by whatever kind of fault. */
const targetsOf = (faults: readonly FaultDone[], action: 'kill' | 'freeze'): string[] =>
  faults.flatMap((fault) => (fault.kind === action || fault.action === action ? fault.targets : []));

const droppedBinds = (faults: readonly FaultDone[]): number =>
  faults.filter(({ what }) => /drops the binds/.test(what)).length;

function countByKind(faults: readonly FaultDone[]): Partial<Record<FaultKind, number>> {
  const counts: Partial<Record<FaultKind, number>> = {};
  for (const { kind } of faults) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

async function receiptsAreIn({ world }: Scene, patienceMs: number): Promise<void> {
  const untilMs = performance.now() + patienceMs;
  while (performance.now() < untilMs) {
    const { receiptsPending = 0 } = await world.simulator.summary();
    if (receiptsPending === 0) return;
    await sleep(500);
  }
}

/** Batches whose status is not what MongoDB says, once all events had their time. */
async function differingInRedis(
  { nc, store }: Scene,
  batches: readonly BatchDocument[],
  patienceMs: number,
): Promise<string[]> {
  const untilMs = performance.now() + patienceMs;
  const differing: string[] = [];
  for (const batch of batches) {
    for (;;) {
      const { counts } = await accountOf(store, batch);
      const status = await callApi<BatchStatus>(nc, 'batch', 'status', { id: batch._id });
      // A batch that was never partitioned has no total, and nothing to count.
      if (status.total === null || JSON.stringify(status.counts) === JSON.stringify(counts)) break;
      if (performance.now() > untilMs) {
        differing.push(
          `${batch._id}: ${status.source} ${JSON.stringify(status.counts)}, MongoDB ${JSON.stringify(counts)}`,
        );
        break;
      }
      await sleep(500);
    }
  }
  return differing;
}
