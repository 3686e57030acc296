import type { JsMsg } from '@nats-io/jetstream';
import type { Static } from 'typebox';
import { check } from '../../contracts/check.ts';
import { type ErrorBody, errorBody, RefusedError } from '../../contracts/errors.ts';
import { SCHEDULE_ID_PATTERN } from '../../contracts/schedule.ts';
import { isScheduleVerb, SCHEDULE_COMMANDS, type ScheduleVerb } from '../../contracts/schedule-api.ts';
import { deadSubject, eventSubject, parseScheduleCommandSubject, STREAMS } from '../../contracts/subjects.ts';
import { isTransient } from '../../lib/mongo/errors.ts';
import { deadLetter } from '../../lib/nats/dead-letter.ts';
import { readJsonObject } from '../../lib/nats/json-body.ts';
import type { Outcome } from '../../lib/nats/outcome.ts';
import { isUnavailable } from '../../lib/nats/unavailable.ts';
import { runCause } from './api.ts';
import {
  changeState,
  createSchedule,
  type OperationDeps,
  runSchedule,
  updateSchedule,
} from './operations.ts';

const POISON_TRIES = 3;

/** `sms.schedule.<id>.<verb>`: the same as the API; what cannot be obeyed is told by an event. */
export async function obeyCommand(deps: OperationDeps, message: JsMsg): Promise<Outcome> {
  const subject = parseScheduleCommandSubject(message.subject)!;
  try {
    await obey(deps, subject, message);
    return 'ack';
  } catch (error) {
    if (error instanceof RefusedError) {
      await reject(deps, subject, error.body, message);
      return 'ack';
    }
    if (isTransient(error) || isUnavailable(error) || message.info.deliveryCount < POISON_TRIES) throw error;
    return deadLetter(deps.publisher, message, {
      stream: STREAMS.dead,
      subject: deadSubject(STREAMS.schedules, message.subject),
      reason: error instanceof Error ? error.message : String(error),
    });
  }
}

async function obey(
  deps: OperationDeps,
  { id, verb }: { id: string; verb: string },
  message: JsMsg,
): Promise<void> {
  if (!new RegExp(SCHEDULE_ID_PATTERN).test(id)) {
    throw refused('invalid-body', 'The ID of the schedule is not valid.', [
      { field: 'id', value: id, expected: '1 to 47 of A-Z, a-z, 0-9, _ and -' },
    ]);
  }
  if (!isScheduleVerb(verb)) {
    const expected = `one of ${Object.keys(SCHEDULE_COMMANDS).join(', ')}`;
    throw refused('unknown-verb', `There is no command ${verb}.`, [{ field: 'verb', value: verb, expected }]);
  }
  const read = readJsonObject(message.data);
  if (!read.ok) throw new RefusedError(read.error);
  const checked = check(SCHEDULE_COMMANDS[verb], read.body);
  if (!checked.ok) throw refused('invalid-body', 'The body does not fit its schema.', checked.errors);
  await carryOut(deps, id, verb, checked.value, message);
}

async function carryOut(
  deps: OperationDeps,
  id: string,
  verb: ScheduleVerb,
  body: Static<(typeof SCHEDULE_COMMANDS)[ScheduleVerb]>,
  message: JsMsg,
): Promise<void> {
  switch (verb) {
    case 'create':
      await createSchedule(deps, id, body as Static<typeof SCHEDULE_COMMANDS.create>);
      return;
    case 'update':
      await updateSchedule(deps, id, body as Static<typeof SCHEDULE_COMMANDS.update>);
      return;
    case 'pause':
    case 'resume':
    case 'cancel':
      await changeState(deps, id, verb, body);
      return;
    case 'run': {
      const { requestId } = body;
      // The message is the same at each redelivery: so is the run.
      const cause = requestId === undefined ? `run:#${message.info.timestampNanos}` : runCause(requestId);
      const atMs = Math.floor(message.info.timestampNanos / 1_000_000);
      await runSchedule(deps, id, body as Static<typeof SCHEDULE_COMMANDS.run>, { cause, atMs });
    }
  }
}

const refused = (...args: Parameters<typeof errorBody>) => new RefusedError(errorBody(...args));

async function reject(
  { publisher, now }: OperationDeps,
  { id, verb }: { id: string; verb: string },
  error: ErrorBody,
  message: JsMsg,
): Promise<void> {
  const read = readJsonObject(message.data);
  const requestId = read.ok && typeof read.body.requestId === 'string' ? read.body.requestId : undefined;
  await publisher.publish({
    subject: eventSubject(id.replaceAll(/[^A-Za-z0-9_-]/g, '_'), 'schedule-rejected'),
    stream: STREAMS.events,
    msgId: `rejected:${message.info.streamSequence}:${message.info.timestampNanos}`,
    body: {
      scheduleId: id,
      at: new Date(now()).toISOString(),
      verb,
      error,
      ...(requestId !== undefined && { requestId: requestId.slice(0, 128) }),
    },
  });
}
