import type { NatsConnection } from '@nats-io/transport-node';
import { FINAL_STATUSES, phaseName } from '../../contracts/states.ts';
import type { BatchStatus } from '../../contracts/stats-api.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { ApiError, callApi } from '../engine/api.ts';
import type { PhaseBars } from './progress.ts';

const LOOK_EVERY_MS = 100;
const GIVE_UP_AFTER_MS = 3_600_000;
const SHOWN_PHASES = ['preparation', 'delivery'];

/**
 * Shows the phases as they go until the batch has ended, and answers with the seconds that each took.
 * @param halfWay called once, when half of the delivery is done
 */
export async function followBatch(
  nc: NatsConnection,
  batchId: string,
  bars: PhaseBars,
  halfWay?: () => Promise<void>,
): Promise<Record<string, number>> {
  const seconds: Record<string, number> = {};
  const startedAt = performance.now();
  let phase: string | null = null;
  let phaseFrom = performance.now();
  let disturb = halfWay;
  while (performance.now() - startedAt < GIVE_UP_AFTER_MS) {
    const status = await statusOf(nc, batchId);
    if (status) {
      if (status.phase !== phase) {
        if (phase !== null) seconds[phase] = (performance.now() - phaseFrom) / 1000;
        phase = status.phase;
        phaseFrom = performance.now();
      }
      show(status, bars);
      const delivered = status.phases.delivery?.percent ?? 0;
      if (disturb && status.phase === 'delivery' && delivered >= 40 && delivered < 100) {
        await disturb();
        disturb = undefined;
      }
      if ((FINAL_STATUSES as readonly string[]).includes(status.state)) return seconds;
      if (/(Failed|Paused)$/.test(status.state))
        throw new Error(`the batch came to a stand: ${status.state}`);
    }
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(`batch ${batchId} did not end`);
}

function show(status: BatchStatus, bars: PhaseBars): void {
  const total = status.total ?? 0;
  for (const phase of SHOWN_PHASES) {
    const known = status.phases[phase];
    if (!known || total === 0) continue;
    const done = Math.round((total * known.percent) / 100);
    const running = status.phase === phase;
    const rate = running && status.ratePerSecond > 0 ? `${Math.round(status.ratePerSecond)}/s` : '';
    const left = running && status.secondsLeft !== null ? `${status.secondsLeft} s left` : '';
    const limit = running && status.limitingFactor ? `limited by ${status.limitingFactor}` : '';
    bars.update(phaseName(phase), done, total, [rate, left, limit].filter(Boolean).join(', '));
  }
}

/** Undefined while the batch is being created, or its host has just been killed. */
async function statusOf(nc: NatsConnection, batchId: string): Promise<BatchStatus | undefined> {
  try {
    return await callApi<BatchStatus>(nc, 'batch', 'status', { id: batchId }, 2_000);
  } catch (error) {
    if (error instanceof ApiError && error.body.code !== 'not-found') throw error;
    return undefined;
  }
}
