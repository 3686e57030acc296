import { sleep } from '../../lib/lifecycle/sleep.ts';
import type { StepContext, StepOutcome } from './step.ts';
import { stopAt } from './stop-at.ts';

const LOOK_EVERY_MS = 1_000;

/**
 * Work that has no boundaries of its own: says now and then that it lives, and aborts it when it may not go on.
 * @returns what it made, or how it had to stop
 */
export async function watched<T>(
  context: StepContext,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<{ made: T } | { stopped: StepOutcome }> {
  const abort = new AbortController();
  const ended = new AbortController();
  let stopped: StepOutcome | undefined;
  const watching = watch();
  try {
    return { made: await work(AbortSignal.any([context.signal, abort.signal])) };
  } catch (error) {
    if (stopped) return { stopped };
    if (context.signal.aborted) return { stopped: { kind: 'left' } };
    throw error;
  } finally {
    ended.abort();
    await watching;
  }

  async function watch(): Promise<void> {
    while (await sleep(LOOK_EVERY_MS, ended.signal)) {
      try {
        stopped = await stopAt(context);
      } catch (err) {
        context.log.warn({ err }, 'the task could not be looked at');
      }
      if (stopped) return abort.abort();
    }
  }
}
