import Type, { type Static, type TSchema } from 'typebox';
import { ErrorBody, Finding } from './errors.ts';
import { BatchId } from './ids.ts';
import { OutcomeCounts, ReceiptCounts, ResolvedCounts } from './outcomes.ts';
import { BatchState } from './states.ts';

const eventMeta = {
  batchId: BatchId,
  incarnation: Type.Optional(Type.String()),
  at: Type.String({ format: 'date-time' }),
  requestId: Type.Optional(Type.String()),
  operatorId: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
};

const event = <P extends Record<string, TSchema>>(fields: P, description: string) =>
  Type.Object({ ...fields, ...eventMeta }, { additionalProperties: false, description });

const resent = Type.Optional(
  Type.Integer({ minimum: 0, description: 'Sent again because an answer was lost; absent = none.' }),
);

const taskProgress = {
  step: Type.String(),
  task: Type.Integer({ minimum: 0 }),
  epoch: Type.Integer({ minimum: 1 }),
  /** Grows with every change of the task, over all its holders. */
  version: Type.Integer({ minimum: 0 }),
  counts: OutcomeCounts,
  receipts: Type.Optional(ReceiptCounts),
  segments: Type.Optional(Type.Integer({ minimum: 0 })),
  resent,
  limitedBy: Type.Optional(
    Type.String({ description: 'What holds the task back now: rate, window, throttled, journal.' }),
  ),
};

/** What a sweep can find in a batch, and what that means. */
export const SWEPT = {
  due: 'Its scheduleTime has come.',
  deadline: 'A deadline has passed: notAfter, or that of a phase without progress.',
  unpublished: 'A turn was stored, and nobody has seen its messages published.',
  'no-message': 'A task is out, but its message is not in the stream.',
  'no-document': 'A task is out, but its document is gone.',
  'no-answer': 'A task has ended, but its answer has not come.',
  'no-holder': 'A task waits for long and nobody has taken it: does its step run anywhere?',
} as const;
export type Swept = keyof typeof SWEPT;

/** Bodies of `sms.evt.<batchId>.<event>`. Values are absolute and versioned: any may be lost, doubled or late. */
export const EVENTS = {
  'state-changed': event(
    {
      version: Type.Integer({ minimum: 1 }),
      event: Type.String({ description: 'The FSM’s event, as PreparationPause.' }),
      from: Type.Union([BatchState, Type.Null()]),
      to: BatchState,
      state: Type.String({ description: 'Joined, as PreparationRunning.' }),
    },
    'One transition of the batch.',
  ),
  progress: event(
    {
      version: Type.Integer({ minimum: 1 }),
      state: Type.String(),
      phase: Type.Union([Type.String(), Type.Null()]),
      total: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
      done: Type.Record(Type.String(), OutcomeCounts, {
        description: 'Per step: sums of the tasks that are done.',
      }),
      tasks: Type.Object(
        {
          count: Type.Integer({ minimum: 0 }),
          done: Type.Integer({ minimum: 0 }),
          out: Type.Array(Type.Integer({ minimum: 0 }), {
            description:
              'Handed out or stopped before their end: their own task-progress tells their counts.',
          }),
        },
        { additionalProperties: false },
      ),
      segments: Type.Optional(Type.Integer({ minimum: 0 })),
      resent,
    },
    'The batch’s own totals, with its version.',
  ),
  'task-progress': event(taskProgress, 'One task’s sums, with its own version.'),
  'command-rejected': event(
    { verb: Type.String(), error: ErrorBody, version: Type.Optional(Type.Integer()) },
    'A command that could not be obeyed, with the reason.',
  ),
  validated: event(
    { findings: Type.Array(Finding) },
    'What a check of the configuration found; empty is good.',
  ),
  updated: event(
    { version: Type.Integer(), fields: Type.Array(Type.String()) },
    'Fields of the batch changed.',
  ),
  deleted: event({ version: Type.Integer() }, 'The batch and all that belonged to it are gone.'),
  ended: event(
    {
      version: Type.Integer({ minimum: 1 }),
      state: Type.Union([Type.Literal('Succeeded'), Type.Literal('Failed'), Type.Literal('Aborted')]),
      total: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
      counts: OutcomeCounts,
      receipts: Type.Optional(ReceiptCounts),
    },
    'The end of the batch; published once a life.',
  ),
  swept: event(
    {
      found: Type.Array(
        Type.Object(
          {
            what: Type.Enum(Object.keys(SWEPT) as Swept[], {
              description: Object.entries(SWEPT)
                .map(([what, meaning]) => `${what}: ${meaning}`)
                .join(' '),
            }),
            task: Type.Optional(Type.Integer({ minimum: 0 })),
          },
          { additionalProperties: false },
        ),
        { minItems: 1 },
      ),
      version: Type.Integer({ minimum: 1 }),
      step: Type.Optional(Type.String()),
    },
    'What a sweep has found; the batch was asked to look again (`reconcile`).',
  ),
  recounted: event(
    {
      version: Type.Integer({ minimum: 1 }),
      /** Of every recipient; absent while only receipts have moved: then it costs a read of all documents. */
      counts: Type.Optional(OutcomeCounts),
      receipts: ReceiptCounts,
      /** Were `unknown` to the tasks until a receipt or a late answer came. */
      resolved: Type.Optional(ResolvedCounts),
    },
    'Counts moved by receipts or late answers, also after the end; versioned by the recount.',
  ),
} as const;

export type EventName = keyof typeof EVENTS;
export type EventBody<N extends EventName> = Static<(typeof EVENTS)[N]>;
