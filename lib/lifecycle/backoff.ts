export interface Backoff {
  /** Upper bound of the first wait. */
  firstMs?: number;
  /** No wait is longer than this. */
  capMs?: number;
  /** 0 ≤ n < 1; injected by tests. */
  random?: () => number;
}

/**
 * The wait before try number `attempt` + 1, where `attempt` counts failures from 1: doubling, capped, and spread over
 * the upper half, because hosts that failed together must not come back together.
 */
export function backoffMs(
  attempt: number,
  { firstMs = 50, capMs = 5_000, random = Math.random }: Backoff = {},
): number {
  const ceiling = Math.min(capMs, firstMs * 2 ** Math.min(attempt - 1, 30));
  return ceiling / 2 + (ceiling / 2) * random();
}
