import { JetStreamApiError } from '@nats-io/jetstream';
import { ConnectionError, errors } from '@nats-io/transport-node';
import { type Backoff, backoffMs } from '../lifecycle/backoff.ts';
import { DeadlineError, deadlineIn } from '../lifecycle/deadline.ts';
import { sleep } from '../lifecycle/sleep.ts';

/**
 * JetStream API codes that say "not now": the cluster has no leader, quorum or peer yet (10004, 10005, 10008, 10009, 10041),
 * the asset is offline (10118, 10119), the server is too busy (10023), another append is on its way (10158, 10164).
 * The request may or may not have been carried out.
 */
const unavailableCodes = new Set([10004, 10005, 10008, 10009, 10023, 10041, 10118, 10119, 10158, 10164]);

/**
 * True when trying the same thing again may work: nobody answered, or the answer says so. Everything else is an answer.
 */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof JetStreamApiError) return unavailableCodes.has(error.code);
  if (error instanceof errors.TimeoutError || error instanceof DeadlineError) return true;
  if (error instanceof errors.RequestError || error instanceof ConnectionError) return true;
  // "No responders" arrives under this name, since that is also what an account without JetStream looks like.
  return error instanceof Error && error.cause instanceof errors.RequestError && error.cause.isNoResponders();
}

export interface RetryOptions extends Backoff {
  deadlineMs?: number;
  signal?: AbortSignal | undefined;
  onRetry?: (error: unknown, attempt: number) => void;
}

/**
 * Tries `call` until it answers. Only for calls that may be carried out twice.
 * @throws DeadlineError with the last error as its cause; any error that is an answer.
 */
export async function retryUnavailable<T>(
  what: string,
  call: (attempt: number, remainingMs: number) => Promise<T>,
  { deadlineMs = 10_000, signal, onRetry, ...backoff }: RetryOptions = {},
): Promise<T> {
  const deadline = deadlineIn(deadlineMs);
  for (let attempt = 1; ; attempt++) {
    try {
      return await call(attempt, deadline.remainingMs());
    } catch (error) {
      if (!isUnavailable(error) || signal?.aborted) throw error;
      const waitMs = backoffMs(attempt, { firstMs: 50, capMs: 1_000, ...backoff });
      if (deadline.remainingMs() < waitMs) throw new DeadlineError(what, deadlineMs, { cause: error });
      onRetry?.(error, attempt);
      await sleep(waitMs, signal);
    }
  }
}
