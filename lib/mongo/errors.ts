import {
  MongoBulkWriteError,
  MongoError,
  MongoNetworkError,
  MongoOperationTimeoutError,
  MongoServerError,
  MongoServerSelectionError,
  MongoWriteConcernError,
} from 'mongodb';
import { type Backoff, backoffMs } from '../lifecycle/backoff.ts';
import { DeadlineError, deadlineIn } from '../lifecycle/deadline.ts';
import { sleep } from '../lifecycle/sleep.ts';

const duplicateKey = 11000;

/** An insert met the same `_id` or unique key. For a bulk write: true only if nothing else failed. */
export function isDuplicateKey(error: unknown): boolean {
  if (error instanceof MongoBulkWriteError) {
    const failed = [error.writeErrors].flat();
    return failed.length > 0 && failed.every((each) => each.code === duplicateKey);
  }
  return error instanceof MongoServerError && error.code === duplicateKey;
}

/**
 * The server's codes for "no primary here just now", "shutting down", "interrupted", "took too long": from MongoDB's
 * specification of retryable writes.
 */
const transientCodes = new Set([
  6, 7, 24, 50, 64, 89, 91, 112, 134, 189, 262, 317, 358, 384, 9001, 10107, 11600, 11602, 13435, 13436,
]);

const socketCodes = new Set([
  'EPIPE',
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
]);

/**
 * True when the same write may succeed later, whether or not this one was carried out: network, no primary, time-out.
 * A write that is repeated has to be idempotent by its filter.
 */
export function isTransient(error: unknown): boolean {
  // The driver lets some of the socket's own errors through: EPIPE on a connection that the server has just ended.
  if (socketCodes.has((error as NodeJS.ErrnoException | undefined)?.code ?? '')) return true;
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  if (error instanceof MongoOperationTimeoutError || error instanceof MongoWriteConcernError) return true;
  if (!(error instanceof MongoError)) return false;
  // Of a bulk write the driver wraps whatever kept it from the server.
  if (error instanceof MongoBulkWriteError && isTransient(error.errorResponse)) return true;
  if (error.hasErrorLabel('RetryableWriteError') || error.hasErrorLabel('TransientTransactionError'))
    return true;
  // The pool had no connection to give in time.
  if (error.name === 'MongoWaitQueueTimeoutError') return true;
  return (
    error instanceof MongoServerError && typeof error.code === 'number' && transientCodes.has(error.code)
  );
}

export interface RetryTransientOptions extends Backoff {
  deadlineMs: number;
  what?: string;
  signal?: AbortSignal | undefined;
}

/**
 * Repeats an idempotent operation while its failures are transient.
 * @throws DeadlineError with the last failure as its cause; any other error at once.
 */
export async function retryTransient<T>(
  operation: (attempt: number) => Promise<T>,
  { deadlineMs, what = 'MongoDB', signal, ...backoff }: RetryTransientOptions,
): Promise<T> {
  const deadline = deadlineIn(deadlineMs);
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation(attempt);
    } catch (error) {
      if (!isTransient(error) || signal?.aborted) throw error;
      const waitMs = backoffMs(attempt, { firstMs: 50, capMs: 1_000, ...backoff });
      if (deadline.remainingMs() < waitMs) throw new DeadlineError(what, deadlineMs, { cause: error });
      await sleep(waitMs, signal);
    }
  }
}
