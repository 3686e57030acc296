import Type, { type Static, type TSchema } from 'typebox';
import { ErrorBody } from './errors.ts';

const event = <P extends Record<string, TSchema>>(fields: P, description: string) =>
  Type.Object(
    {
      scheduleId: Type.String(),
      at: Type.String({ format: 'date-time' }),
      ...fields,
      reason: Type.Optional(Type.String()),
      requestId: Type.Optional(Type.String()),
      operatorId: Type.Optional(Type.String()),
    },
    { additionalProperties: false, description },
  );

const dueAt = Type.String({ format: 'date-time', description: 'The due time.' });

/** Bodies of `sms.evt.<scheduleId>.<event>`. */
export const SCHEDULE_EVENTS = {
  'schedule-paused': event(
    { version: Type.Integer() },
    'A schedule has paused itself: too many of its runs have failed.',
  ),
  'schedule-rejected': event(
    { verb: Type.String(), error: ErrorBody },
    'A command to a schedule that could not be obeyed, with the reason.',
  ),
  'schedule-rearmed': event(
    { dueAt, found: Type.String({ description: 'What was found.' }) },
    'A sweep found a schedule whose timer was gone, and armed it again.',
  ),
  'run-skipped': event({ dueAt }, 'The run before went on: this one was passed over.'),
  'run-missed': event(
    { dueAt, until: Type.Optional(Type.String({ description: 'Also those up to this time.' })) },
    'It was too late for this run.',
  ),
  'run-dropped': event(
    { dueAt },
    'Nobody would take what the run was to publish, or its template does not hold.',
  ),
  'run-failed': event({ dueAt, batchId: Type.Optional(Type.String()) }, 'What the run started has failed.'),
} as const;
export type ScheduleEventName = keyof typeof SCHEDULE_EVENTS;
export type ScheduleEventBody<N extends ScheduleEventName> = Static<(typeof SCHEDULE_EVENTS)[N]>;
