import Type, { type Static } from 'typebox';
import { StepChoice } from './batch.ts';
import { BatchId } from './ids.ts';
import { instant } from './instant.ts';
import { BatchTemplate } from './template.ts';

/** A run's batch has the ID `<schedule>-20261124T120000Z`: 17 characters more, and a batch ID has 64. */
export const SCHEDULE_ID_PATTERN = '^[A-Za-z0-9_-]{1,47}$';
export const ScheduleId = Type.String({
  pattern: SCHEDULE_ID_PATTERN,
  description: 'One subject token: 1 to 47 of A-Z, a-z, 0-9, _ and -.',
});

export const TASK_TYPE_PATTERN = '^[a-z][a-z0-9_-]{0,31}$';
export const TaskType = Type.String({
  pattern: TASK_TYPE_PATTERN,
  description: 'A maintenance task: a built-in or a registered one, or one that a program serves.',
});

/** How long a run may wait for its outcome where a task's target does not say. */
export const DEFAULT_TASK_TIMEOUT_MS = 60_000;

const historyLimit = (which: string) =>
  Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 100,
      description: `Batches of ${which} runs that are kept; older ones are deleted. Absent: the retention decides.`,
    }),
  );

/** A schema a kind, so that a finding tells what its own kind lacks. */
export const TARGETS = {
  'batch.start': Type.Object(
    {
      kind: Type.Literal('batch.start'),
      batchId: BatchId,
      steps: Type.Optional(Type.Array(StepChoice, { maxItems: 32, description: 'In place of its own.' })),
    },
    { additionalProperties: false, description: 'Starts a batch that exists.' },
  ),
  'batch.template': Type.Object(
    {
      kind: Type.Literal('batch.template'),
      template: BatchTemplate,
      succeededHistoryLimit: historyLimit('succeeded'),
      failedHistoryLimit: historyLimit('failed'),
    },
    { additionalProperties: false, description: 'Each run creates a batch and starts it.' },
  ),
  task: Type.Object(
    {
      kind: Type.Literal('task'),
      task: TaskType,
      config: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Type.Unknown())),
      timeoutMs: Type.Optional(Type.Integer({ minimum: 1_000, maximum: 24 * 3_600_000 })),
    },
    { additionalProperties: false, description: 'Runs a maintenance task.' },
  ),
  publish: Type.Object(
    {
      kind: Type.Literal('publish'),
      subject: Type.String({ minLength: 1, maxLength: 256, description: 'One of SCHEDULER_SUBJECTS.' }),
      payload: Type.Optional(Type.Unknown({ description: 'An object becomes JSON, a text goes as it is.' })),
      headers: Type.Optional(
        Type.Record(Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }), Type.String({ maxLength: 1_024 })),
      ),
    },
    { additionalProperties: false, description: 'Publishes a message.' },
  ),
} as const;
export type TargetKind = keyof typeof TARGETS;
export type ScheduleTarget = { [K in TargetKind]: Static<(typeof TARGETS)[K]> }[TargetKind];

const AnyTarget = Type.Object(
  { kind: Type.Enum(Object.keys(TARGETS) as TargetKind[]) },
  {
    additionalProperties: true,
    description:
      'By kind: batch.start {batchId, steps?}; batch.template {template, …}; task {task, config?}; publish {subject, payload?}.',
  },
);

export const OVERLAPS = ['skip', 'buffer-one', 'allow'] as const;
export const CATCH_UPS = ['last-only', 'all'] as const;
export const GAPS = ['next-valid', 'skip'] as const;
export const REPEATS = ['first', 'both'] as const;

const DATE = '^(\\d{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$';
const ExcludedDay = Type.String({ pattern: DATE, description: '2026-12-25, or 12-25 of every year.' });

export const DEFAULT_CATCH_UP_SECONDS = 900;

const scheduleFields = {
  description: Type.Optional(Type.String({ maxLength: 2_000 })),
  at: Type.Optional(instant('Once, at this RFC 3339 time.')),
  in: Type.Optional(
    Type.String({
      pattern: '^\\d{1,9}(s|m|h|d)$',
      description: 'Once, so long after it was created: 90s, 15m, 1h, 2d.',
    }),
  ),
  cron: Type.Optional(
    Type.String({
      maxLength: 256,
      description: 'Again and again: second minute hour day month weekday, as `0 30 9 * * 1-5`.',
    }),
  ),
  timeZone: Type.Optional(
    Type.String({ maxLength: 64, description: 'IANA zone of `cron`, as Europe/Berlin. Required with it.' }),
  ),
  exclude: Type.Optional(
    Type.Array(
      Type.Union([
        ExcludedDay,
        Type.Object({ from: ExcludedDay, to: ExcludedDay }, { additionalProperties: false }),
      ]),
      { maxItems: 366, description: 'Days in the zone on which nothing runs; {from, to}: both included.' },
    ),
  ),
  gap: Type.Optional(
    Type.Enum(GAPS, {
      description:
        'A local time that the clock leaps over: next-valid (as much later as the clock leaps) or skip. Default: skip where every hour runs, else next-valid.',
    }),
  ),
  repeat: Type.Optional(
    Type.Enum(REPEATS, {
      description:
        'A local time that comes twice: first or both. Default: both where every hour runs, else first.',
    }),
  ),
  target: AnyTarget,
  overlap: Type.Optional(
    Type.Enum(OVERLAPS, {
      default: 'skip',
      description: 'A run is due while the one before goes on: skip it, keep one for later, or run both.',
    }),
  ),
  catchUpSeconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 31 * 24 * 3_600,
      default: DEFAULT_CATCH_UP_SECONDS,
      description: 'A run that is later than this is missed.',
    }),
  ),
  catchUp: Type.Optional(
    Type.Enum(CATCH_UPS, {
      default: 'last-only',
      description: 'Of several late runs inside the window.',
    }),
  ),
  jitterSeconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 24 * 3_600,
      description: 'Each run is later by up to this, the same at each try (a hash of ID and due time).',
    }),
  ),
  startAt: Type.Optional(instant('No run is due before.')),
  endAt: Type.Optional(instant('No run is due after.')),
  maxRuns: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1_000_000_000, description: 'Done after so many started runs.' }),
  ),
  pauseAfterFailures: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1_000,
      description: 'Pauses itself after so many failed runs in a row.',
    }),
  ),
};

/** What the user says of a schedule. Exactly one of `at`, `in` and `cron` (checked beside the schema). */
export const ScheduleInput = Type.Object(scheduleFields, {
  additionalProperties: false,
  description: 'When something is to happen, and what.',
});
export type ScheduleInput = Omit<Static<typeof ScheduleInput>, 'target'> & { target: ScheduleTarget };

const { in: _in, ...patchFields } = scheduleFields;

/** Any part of a schedule; null takes an optional field away. */
export const SchedulePatch = Type.Object(
  Object.fromEntries(
    Object.entries(patchFields).map(([name, schema]) => [
      name,
      name === 'target'
        ? Type.Optional(schema)
        : Type.Optional(Type.Union([schema, Type.Null({ description: 'Takes it away.' })])),
    ]),
  ),
  { additionalProperties: false, minProperties: 1 },
);
export type SchedulePatch = { [K in Exclude<keyof ScheduleInput, 'in'>]?: ScheduleInput[K] | null };
