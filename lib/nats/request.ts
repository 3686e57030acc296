import { errors, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { backoffMs } from '../lifecycle/backoff.ts';
import { DeadlineError, deadlineIn } from '../lifecycle/deadline.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { freshHeaders, type HeaderValues } from './carried-headers.ts';

export interface RequestOptions {
  /** The longest that the answer may take. */
  deadlineMs: number;
  headers?: HeaderValues;
  /** Tries again until the deadline while nobody listens, e.g. while a service starts. */
  waitForService?: boolean;
  signal?: AbortSignal | undefined;
}

/** An answer that a NATS micro service marked as an error. `body` is its JSON, where it is JSON. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: string;
  readonly body: unknown;

  constructor(subject: string, code: string, message: string, body: unknown) {
    super(`${subject}: ${message} (${code})`);
    this.code = code;
    this.body = body;
  }
}

/**
 * Core request and reply, JSON both ways. Sent again only while nobody has taken it: one that somebody took and did not
 * answer may have been obeyed.
 * @throws ServiceError; DeadlineError when nobody answered in time; Error when nobody listens.
 */
export async function request<T>(
  nc: NatsConnection,
  subject: string,
  body: object,
  { deadlineMs, headers, waitForService = false, signal }: RequestOptions,
): Promise<T> {
  const payload = JSON.stringify(body);
  const deadline = deadlineIn(deadlineMs);
  for (let attempt = 1; ; attempt++) {
    try {
      const timeout = Math.max(1, deadline.remainingMs());
      return read<T>(
        subject,
        await nc.request(subject, payload, { timeout, headers: freshHeaders(headers) }),
      );
    } catch (error) {
      if (error instanceof errors.TimeoutError) {
        throw new DeadlineError(`request ${subject}`, deadlineMs, { cause: error });
      }
      if (!(error instanceof errors.RequestError && error.isNoResponders())) throw error;
      const waitMs = backoffMs(attempt, { firstMs: 50, capMs: 500 });
      if (!waitForService || signal?.aborted || deadline.remainingMs() < waitMs) {
        throw new Error(`Nobody answers ${subject}: is its service running?`, { cause: error });
      }
      await sleep(waitMs, signal);
    }
  }
}

function read<T>(subject: string, answer: Msg): T {
  const code = answer.headers?.get('Nats-Service-Error-Code');
  const body = parse(answer.string());
  if (code) throw new ServiceError(subject, code, answer.headers?.get('Nats-Service-Error') ?? '', body);
  return body as T;
}

function parse(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
