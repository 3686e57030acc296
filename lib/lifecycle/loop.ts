import type { Logger } from 'pino';
import { type Backoff, backoffMs } from './backoff.ts';
import { type Part, part } from './part.ts';
import { sleep } from './sleep.ts';

export interface LoopOptions extends Backoff {
  log: Logger;
  /** Wait between two rounds that went well. 0, the default, goes straight on: then the round itself has to wait. */
  pauseMs?: number;
}

/**
 * Runs `round` until the signal aborts. A round that throws is logged and tried again with back-off; a round that is
 * running when the signal aborts is waited for. Never rejects.
 */
export async function loop(
  name: string,
  round: (signal: AbortSignal) => Promise<unknown>,
  signal: AbortSignal,
  { log, pauseMs = 0, ...backoff }: LoopOptions,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      await round(signal);
      if (failures > 0) log.info({ loop: name, failures }, 'loop recovered');
      failures = 0;
      if (pauseMs > 0) await sleep(pauseMs, signal);
      // A round that never really waits must not starve sockets and timers.
      else await new Promise(setImmediate);
    } catch (err) {
      if (signal.aborted) return;
      failures += 1;
      const waitMs = backoffMs(failures, backoff);
      log.warn({ loop: name, err, failures, waitMs: Math.round(waitMs) }, 'loop round failed');
      await sleep(waitMs, signal);
    }
  }
}

/** The loop as a part: start launches it, stop aborts it and waits for the round that is running. */
export function loopPart(
  name: string,
  round: (signal: AbortSignal) => Promise<unknown>,
  options: LoopOptions,
): Part {
  return part(name, ({ signal, defer }) => {
    const running = loop(name, round, signal, options);
    defer(() => running);
  });
}
