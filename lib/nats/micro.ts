import { Svcm } from '@nats-io/services';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { Static, TSchema } from 'typebox';
import { ulid } from 'ulid';
import { check } from '../../contracts/check.ts';
import { ERROR_CODES, type ErrorBody, errorBody, RefusedError } from '../../contracts/errors.ts';
import { apiSubject, HEADERS } from '../../contracts/subjects.ts';
import { type Part, part } from '../lifecycle/part.ts';
import { type Turnstile, turnstile } from '../lifecycle/turnstile.ts';
import { carriedFrom, freshHeaders, type HeaderValues } from './carried-headers.ts';
import { readJsonObject } from './json-body.ts';
import { isUnavailable } from './unavailable.ts';

/** What a handler knows of its request beside the body. */
export interface RequestMeta {
  /** From the body's `requestId`, else from the header, else made here; it is in the log of whatever goes wrong. */
  requestId: string;
  /** To hand on to the messages that the request causes. */
  headers: HeaderValues;
  /** Aborts when the service stops. */
  signal: AbortSignal;
}

/** One verb of the API, `sms.api.<noun>.<verb>`; made by {@link endpoint}. */
export interface ApiEndpoint {
  noun: string;
  verb: string;
  description: string;
  request: TSchema;
  response?: TSchema | undefined;
  handler(body: unknown, meta: RequestMeta): Promise<object>;
}

/** Ties a handler to the schema of its requests. The handler answers with an object, or throws a RefusedError. */
export function endpoint<S extends TSchema>(definition: {
  noun: string;
  verb: string;
  description: string;
  request: S;
  response?: TSchema;
  handler(body: Static<S>, meta: RequestMeta): Promise<object>;
}): ApiEndpoint {
  return definition as ApiEndpoint;
}

export interface ApiOptions {
  /** Shown by `nats micro ls`; letters, digits, - and _. */
  name: string;
  /** Semantic version. */
  version: string;
  description: string;
  endpoints: readonly ApiEndpoint[];
  log: Logger;
  /** Handlers that run at once; the rest wait their turn. */
  concurrency?: number;
  /** More requests than this waiting are answered `overloaded`. */
  maxWaiting?: number;
  /** Says of an unexpected error that the same request may work later (a server does not answer). */
  unavailable?: (error: unknown) => boolean;
}

/** Serves endpoints as one NATS micro service; every answer is JSON, an error has the micro error headers too. */
export function serveApi(nc: NatsConnection, options: ApiOptions): Part {
  const { name, version, description, endpoints, log, concurrency = 64, maxWaiting = 1_024 } = options;
  return part(`api ${name}`, async ({ defer, signal }) => {
    const turns = turnstile(concurrency, maxWaiting);
    const failures = new Map<string, { errors: number; lastError: string }>();
    const service = await new Svcm(nc).add({
      name,
      version,
      description,
      // The client's own counters end when the handler returns its promise, so they never see an error.
      statsHandler: async ({ subject }) => failures.get(subject) ?? { errors: 0 },
    });
    void service.stopped.then((err) => {
      if (err) log.error({ err, api: name }, 'the API stopped by itself');
    });
    defer(() => turns.idle());
    defer(() => service.stop());

    const serve = { log, turns, signal, unavailable: options.unavailable ?? (() => false) };
    for (const each of endpoints) {
      const subject = apiSubject(each.noun, each.verb);
      service.addEndpoint(`${each.noun}-${each.verb}`, {
        subject,
        metadata: metadataOf(each),
        handler: (error, message) => {
          if (error) return;
          void answer(message, each, serve).then((refused) => {
            if (refused) {
              const errors = (failures.get(subject)?.errors ?? 0) + 1;
              failures.set(subject, { errors, lastError: `${refused.code}: ${refused.message}` });
            }
          });
        },
      });
    }
    // Who asks right after the start must find it.
    await nc.flush();
  });
}

function metadataOf({ description, request, response }: ApiEndpoint): Record<string, string> {
  return {
    description,
    request_schema: JSON.stringify(request),
    ...(response && { response_schema: JSON.stringify(response) }),
  };
}

interface Serving {
  log: Logger;
  turns: Turnstile;
  signal: AbortSignal;
  unavailable: (error: unknown) => boolean;
}

/** Never rejects. @returns the error that was answered, if it was one */
async function answer(message: Msg, called: ApiEndpoint, serving: Serving): Promise<ErrorBody | undefined> {
  let requestId = message.headers?.get(HEADERS.requestId) || undefined;
  try {
    const read = readJsonObject(message.data);
    if (!read.ok) throw new RefusedError(read.error);
    const { body } = read;
    if (typeof body.requestId === 'string') requestId = body.requestId;
    requestId ??= ulid();
    const checked = check(called.request, body);
    if (!checked.ok) throw refused('invalid-body', 'The body does not fit its schema.', checked.errors);
    const meta = {
      requestId,
      headers: { ...carriedFrom(message.headers), [HEADERS.requestId]: requestId },
      signal: serving.signal,
    };
    const turn = serving.turns.run(() => called.handler(checked.value, meta));
    if (!turn) throw refused('overloaded', 'Too many requests are waiting; try again later.');
    message.respond(JSON.stringify(await turn));
    return undefined;
  } catch (error) {
    const told = tell(error, called, requestId ?? ulid(), serving);
    const headers = freshHeaders({
      'Nats-Service-Error-Code': String(ERROR_CODES[told.code].status),
      'Nats-Service-Error': `${told.code}: ${told.message}`.slice(0, 500),
    });
    try {
      message.respond(JSON.stringify(told), { headers });
    } catch (err) {
      serving.log.warn({ err, requestId }, 'an error could not be answered');
    }
    return told;
  }
}

const refused = (...args: Parameters<typeof errorBody>) => new RefusedError(errorBody(...args));

function tell(error: unknown, { noun, verb }: ApiEndpoint, requestId: string, serving: Serving): ErrorBody {
  if (error instanceof RefusedError) return error.body;
  const request = { err: error, requestId, api: apiSubject(noun, verb) };
  if (isUnavailable(error) || serving.unavailable(error)) {
    serving.log.warn(request, 'request failed: a server does not answer');
    return errorBody('unavailable', `A server does not answer; try again later (request ${requestId}).`);
  }
  serving.log.error(request, 'request failed');
  return errorBody('internal', `A fault of ours; it is in the log under request ${requestId}.`);
}
