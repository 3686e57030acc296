/** How often, and after how long, a message that was refused for now is tried again. */
export interface RetryPlan {
  /** Wait after failure number `attempts` (from 1), ms; undefined: it was tried often enough. */
  waitMs(attempts: number): number | undefined;
}

/** Five tries over about five minutes. */
export const DEFAULT_RETRY_WAITS_MS: readonly number[] = [10_000, 30_000, 90_000, 180_000];

/** Each wait is spread by a fifth both ways: what was refused together must not come back together. */
export function retryPlan(
  waitsMs: readonly number[] = DEFAULT_RETRY_WAITS_MS,
  random: () => number = Math.random,
): RetryPlan {
  return {
    waitMs(attempts) {
      const wait = waitsMs[attempts - 1];
      return wait === undefined ? undefined : wait * (0.8 + 0.4 * random());
    },
  };
}
