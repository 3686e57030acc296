import type { NatsConnection } from '@nats-io/transport-node';
import type { ErrorBody } from '../../contracts/errors.ts';
import { apiSubject } from '../../contracts/subjects.ts';

/** An answer of the API that is an error. */
export class ApiError extends Error {
  readonly body: ErrorBody;

  constructor(subject: string, body: ErrorBody) {
    super(`${subject}: ${body.code}: ${body.message} ${JSON.stringify(body.errors)}`);
    this.body = body;
  }
}

/** Asks as any program would: `nats req sms.api.<noun>.<verb>`. */
export async function callApi<T = Record<string, unknown>>(
  nc: NatsConnection,
  noun: string,
  verb: string,
  body: object = {},
  timeoutMs = 30_000,
): Promise<T> {
  const subject = apiSubject(noun, verb);
  const reply = await nc.request(subject, JSON.stringify(body), { timeout: timeoutMs });
  if (reply.headers?.get('Nats-Service-Error-Code')) throw new ApiError(subject, reply.json<ErrorBody>());
  return reply.json<T>();
}
