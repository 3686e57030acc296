import type { Logger } from 'pino';
import { group, type Part } from './part.ts';

export interface RunOptions {
  log: Logger;
  /** Longer than this and the process is left with exit code 1. */
  shutdownTimeoutMs?: number;
  /** Called first of all on a signal: the place to say "not ready". */
  onStopping?: () => void;
  signals?: readonly NodeJS.Signals[];
  /** Also stops on this, for parts that end by themselves. */
  until?: AbortSignal;
  exit?: (code: number) => void;
}

/**
 * The body of every main.ts: starts the parts in order and stops them in reverse on SIGTERM or SIGINT.
 * Exit codes: 0 stopped; 1 start failed, stop failed or timed out, or a second signal came.
 */
export async function runUntilSignal(parts: readonly Part[], options: RunOptions): Promise<void> {
  const { log, shutdownTimeoutMs = 10_000, onStopping, signals = ['SIGTERM', 'SIGINT'], until } = options;
  const exit = options.exit ?? ((code: number) => process.exit(code));
  const whole = group('process', parts);
  let stopping: Promise<void> | undefined;

  function stop(why: string, code: number): Promise<void> {
    stopping ??= shutDown(why, code);
    return stopping;
  }

  async function shutDown(why: string, code: number): Promise<void> {
    log.info({ why, shutdownTimeoutMs }, 'stopping');
    onStopping?.();
    const forced = setTimeout(() => {
      log.fatal({ shutdownTimeoutMs }, 'forced exit: the shutdown took too long');
      exit(1);
    }, shutdownTimeoutMs);
    let result = code;
    try {
      await whole.stop();
      log.info('stopped');
    } catch (err) {
      log.error({ err }, 'stopped, with errors');
      result = 1;
    }
    clearTimeout(forced);
    for (const signal of signals) process.off(signal, onSignal);
    exit(result);
  }

  function onSignal(signal: NodeJS.Signals): void {
    if (stopping) {
      log.fatal({ signal }, 'forced exit: a second signal');
      exit(1);
      return;
    }
    void stop(signal, 0);
  }

  for (const signal of signals) process.on(signal, onSignal);
  const names = parts.map((each) => each.name);
  // From here on a signal ends it in order.
  log.info({ parts: names }, 'starting');
  const ended = new Promise<void>((resolve) => {
    if (until?.aborted) resolve();
    until?.addEventListener('abort', () => resolve(), { once: true });
  });

  try {
    await whole.start();
  } catch (err) {
    // Stopped by a signal while starting is no failure; the rest is.
    if (!stopping) log.fatal({ err }, 'could not start');
    await stop('start failed', 1);
    return;
  }
  log.info({ parts: names }, 'started');
  await ended;
  await stop('finished', 0);
}
