/** Thrown when a wait is over before the work is. The work itself may still be running, and may still succeed. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
  readonly what: string;
  readonly timeoutMs: number;

  constructor(what: string, timeoutMs: number, options?: ErrorOptions) {
    super(`${what}: no answer within ${Math.round(timeoutMs)} ms`, options);
    this.what = what;
    this.timeoutMs = timeoutMs;
  }
}

/** Rejects with DeadlineError after `ms`. The promise is not cancelled; its late rejection is swallowed. */
export async function withTimeout<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(what, ms)), ms);
  });
  // Promise.race leaves the loser's rejection handled, so a late failure is not an unhandled one.
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One budget of time for several waits, on the monotonic clock. */
export interface Deadline {
  readonly timeoutMs: number;
  remainingMs(): number;
  passed(): boolean;
}

export function deadlineIn(timeoutMs: number, now: () => number = () => performance.now()): Deadline {
  const end = now() + timeoutMs;
  return {
    timeoutMs,
    remainingMs: () => Math.max(0, end - now()),
    passed: () => now() >= end,
  };
}
