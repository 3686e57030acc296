import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { Attempts } from './attempts.ts';
import { Campaign } from './campaign.ts';
import { allBatches, checkAll, checkBooks, endedFamilies, readBook } from './check-all.ts';
import { makeFault } from './faults.ts';
import type { Plan } from './plan.ts';
import type { ChaosResult } from './result.ts';
import type { ChaosRun, Scene } from './scene.ts';
import { settle } from './settle.ts';
import { StrangeCommands } from './strange-commands.ts';
import { importTables } from './tables.ts';
import { Users } from './users.ts';
import { ForwardWatch } from './watch-forward.ts';

const LOOK_EVERY_MS = 2_000;
const BOOKS_EVERY_MS = 15_000;

export async function runChaos(run: ChaosRun): Promise<ChaosResult> {
  const { plan, options, world, nc, store, say } = run;
  await importTables(nc);
  const attempts = new Attempts(nc, run.attemptsFile);
  const scene: Scene = {
    ...run,
    attempts,
    users: new Users(nc, attempts),
    strange: new StrangeCommands(nc, world.servers.redisUrl),
    campaign: await Campaign.begin(nc),
    forward: new ForwardWatch(store),
    faults: [],
  };

  const ending = new AbortController();
  const watching = [
    scene.campaign.watch(ending.signal),
    look(scene, ending.signal),
    ...(options.failFast ? [readBooks(scene, ending)] : []),
  ];
  const fromMs = performance.now();
  const underWay = new Set<Promise<void>>();
  const atItsTime = async (atMs: number, work: () => Promise<void>): Promise<boolean> => {
    const early = atMs - (performance.now() - fromMs);
    if (early > 0 && !(await sleep(early, ending.signal))) return false;
    const doing = work().finally(() => underWay.delete(doing));
    underWay.add(doing);
    return true;
  };
  const making = (async () => {
    for (const fault of plan.faults) {
      if (ending.signal.aborted) return;
      await atItsTime(fault.atMs, () => make(scene, fault, fromMs));
    }
  })();
  for (const deed of plan.deeds) {
    if (!(await atItsTime(deed.atMs, () => scene.users.do(deed)))) break;
  }
  await making;
  await Promise.all(underWay);
  if (!ending.signal.aborted) {
    say(`The faults are over (${scene.faults.length}); everything is healed, and has to come to its end.`);
  }
  const settled = await settle(scene, ending.signal.aborted);
  ending.abort();
  await Promise.all(watching);
  return checkAll(scene, settled);
}

const busy = new Set<string>();

async function make(scene: Scene, fault: Plan['faults'][number], fromMs: number): Promise<void> {
  const { world, strange, faults, say } = scene;
  const at = (): string => `${((performance.now() - fromMs) / 1_000).toFixed(1).padStart(6)} s`;
  try {
    const done = await makeFault({ world, strange, busy }, fault);
    if (!done) return;
    faults.push(done);
    await appendFile(join(world.servers.logDir, 'faults.ndjson'), `${JSON.stringify(done)}\n`);
    say(`${at()}  ${done.what}`);
  } catch (error) {
    say(`${at()}  ${fault.kind} could not be made: ${(error as Error).message}`);
  }
}

/** What becomes of the batches; never backwards. */
async function look({ users, forward }: Scene, signal: AbortSignal): Promise<void> {
  while (await sleep(LOOK_EVERY_MS, signal)) {
    const ids = users.alive().map(({ id }) => id);
    await users.look();
    try {
      await forward.look(ids);
    } catch {
      // The database is away now.
    }
  }
}

/** The books of batches that have ended, meanwhile: a run that only looks for a broken promise ends with the first. */
async function readBooks(scene: Scene, ending: AbortController): Promise<void> {
  while (await sleep(BOOKS_EVERY_MS, ending.signal)) {
    try {
      // Ours first: what it claims by now, the carrier has.
      const batches = endedFamilies(await allBatches(scene));
      const findings = await checkBooks(scene, batches, await readBook(scene));
      const broken = findings.lost + findings.doubled + findings.unexpected + findings.wronglyClaimed;
      if (broken + findings.identityBroken + scene.forward.backwards.length === 0) continue;
      scene.say('A promise is broken: the run ends.');
      ending.abort();
    } catch {
      // The database is away now.
    }
  }
}
