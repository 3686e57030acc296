import { sleep } from '../../lib/lifecycle/sleep.ts';
import { callApi } from '../engine/api.ts';
import type { Scene } from './scene.ts';
import type { KnownBatch } from './users.ts';

export interface Settled {
  answeredAfterMs: number;
  settledAfterMs: number;
  stuck: string[];
  /** A promise was broken before: the run has ended early. */
  broken: boolean;
}

/** After the last fault everything has to answer … */
const ANSWERS_WITHIN_MS = 60_000;
/** … and every batch to end, or to be where a person put it. */
const SETTLES_WITHIN_MS = 240_000;
const ASK_AGAIN_MS = 5_000;
const LOOK_EVERY_MS = 500;

/** @param broken a promise is broken already: nothing is waited for */
export async function settle(scene: Scene, broken: boolean): Promise<Settled> {
  const { world, users, nc, say } = scene;
  await world.heal();
  if (broken) return { answeredAfterMs: 0, settledAfterMs: 0, stuck: [], broken };
  const fromMs = performance.now();
  const passedMs = (): number => Math.round(performance.now() - fromMs);

  const unanswered = async (): Promise<string[]> => {
    const calls = [
      ['batch', 'list'],
      ['batch', 'totals'],
      ['table', 'list'],
      ['schedule', 'list'],
      ['step', 'list'],
      ['provider', 'list'],
      ['stats', 'metrics'],
      ['dead', 'list'],
      ['rule', 'list'],
    ] as const;
    const asked = await Promise.allSettled(calls.map(([noun, verb]) => callApi(nc, noun, verb, {}, 5_000)));
    return calls.filter((_, at) => asked[at]!.status === 'rejected').map((call) => call.join('.'));
  };
  let silent = await unanswered();
  while (silent.length > 0 && passedMs() < ANSWERS_WITHIN_MS) {
    await sleep(LOOK_EVERY_MS);
    silent = await unanswered();
  }
  const answeredAfterMs = passedMs();

  const askedAtMs = new Map<KnownBatch, number>();
  for (;;) {
    await users.look();
    const left = users.unsettled();
    if (left.length === 0 || passedMs() > SETTLES_WITHIN_MS) {
      const stuck = [...silent, ...left.map(({ id, state }) => `${id} is ${state}`)];
      for (const each of stuck) say(`stuck: ${each}`);
      return { answeredAfterMs, settledAfterMs: passedMs(), stuck, broken };
    }
    for (const batch of left) {
      if (performance.now() - (askedAtMs.get(batch) ?? Number.NEGATIVE_INFINITY) < ASK_AGAIN_MS) continue;
      askedAtMs.set(batch, performance.now());
      await users.bringToEnd(batch);
    }
    await sleep(LOOK_EVERY_MS);
  }
}
