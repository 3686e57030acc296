import Type, { type Static } from 'typebox';
import { commandMeta } from './commands.ts';
import { instant } from './instant.ts';
import { ScheduleId, ScheduleInput, SchedulePatch } from './schedule.ts';

export const SCHEDULE_STATES = ['active', 'paused', 'done', 'cancelled'] as const;
export type ScheduleState = (typeof SCHEDULE_STATES)[number];

/**
 * What became of a due time: `started` (goes on), `succeeded`, `failed`, `aborted` (of its batch or task), `published`;
 * `buffered` (waits for the run before); `skipped` (by the overlap), `missed` (too late), `dropped` (nobody would take it).
 */
export const RUN_OUTCOMES = [
  'started',
  'published',
  'succeeded',
  'failed',
  'aborted',
  'buffered',
  'skipped',
  'missed',
  'dropped',
] as const;
export type RunOutcome = (typeof RUN_OUTCOMES)[number];

export const ScheduleRun = Type.Object({
  dueAt: Type.String({ description: 'The due time; of a run by hand, when it was asked for.' }),
  decidedAt: Type.String(),
  outcome: Type.Enum(RUN_OUTCOMES),
  reason: Type.Optional(Type.String()),
  batchId: Type.Optional(Type.String()),
  manual: Type.Optional(Type.Boolean({ description: 'Asked for by `run`.' })),
  requestId: Type.Optional(Type.String()),
  endedAt: Type.Optional(Type.String()),
  result: Type.Optional(Type.Unknown({ description: 'What a task has answered.' })),
});
export type ScheduleRun = Static<typeof ScheduleRun>;

export const PlannedRun = Type.Object({
  dueAt: Type.String(),
  local: Type.Optional(Type.String({ description: 'The same in the zone of the schedule.' })),
  fireAt: Type.String({ description: 'With its jitter.' }),
  batchId: Type.Optional(Type.String({ description: 'Of the batch that it will create.' })),
  note: Type.Optional(Type.String({ description: 'Where the clock is changed.' })),
});
export type PlannedRun = Static<typeof PlannedRun>;

/** A schedule as every call shows it. */
export const ScheduleView = Type.Object(
  {
    id: ScheduleId,
    version: Type.Integer({ description: 'Raised by each change of the schedule, not by its runs.' }),
    state: Type.Enum(SCHEDULE_STATES),
    paused: Type.Optional(
      Type.Object({
        at: Type.String(),
        note: Type.Optional(Type.String()),
        by: Type.Optional(Type.String()),
      }),
    ),
    ...Type.Partial(ScheduleInput).properties,
    next: Type.Array(PlannedRun, { description: 'The next ten runs; in a list the next one.' }),
    runs: Type.Array(ScheduleRun, { description: 'The last ten, newest first.' }),
    active: Type.Array(Type.String(), { description: 'Due times of the runs that go on.' }),
    started: Type.Integer({ description: 'Runs that were started so far.' }),
    failuresInARow: Type.Integer(),
    history: Type.Array(
      Type.Object({
        version: Type.Integer(),
        at: Type.String(),
        verb: Type.String(),
        requestId: Type.Optional(Type.String()),
        operatorId: Type.Optional(Type.String()),
        reason: Type.Optional(Type.String()),
      }),
      { description: 'The newest changes: who, when, why.' },
    ),
    createdAt: Type.String(),
    updatedAt: Type.String(),
  },
  { description: 'A schedule.' },
);
export type ScheduleView = Static<typeof ScheduleView>;

const paused = Type.Optional(Type.Boolean({ description: 'Created paused.' }));
const config = Type.Optional(
  Type.Record(Type.String({ maxLength: 64 }), Type.Unknown(), {
    description: 'Of a task: over its own for this run, as {"dryRun": true}.',
  }),
);

const command = <P extends Parameters<typeof Type.Object>[0]>(fields: P, description: string) =>
  Type.Object({ ...fields, ...commandMeta }, { additionalProperties: false, description });

/** Bodies of `sms.schedule.<id>.<verb>`; with an `id` those of `sms.api.schedule.<verb>`. */
export const SCHEDULE_COMMANDS = {
  create: command(
    { schedule: ScheduleInput, paused },
    'Creates a schedule. The same create twice is one schedule; another one under its ID is a conflict.',
  ),
  update: command({ patch: SchedulePatch }, 'Changes a schedule; what is due is computed anew.'),
  pause: command({}, 'Nothing is due until it is resumed; `reason` is kept as the note.'),
  resume: command({}, 'Goes on with the next due time; what was due meanwhile is passed over.'),
  cancel: command({}, 'Ends a schedule for good; what it has started goes on.'),
  run: command({ config }, 'Runs it now, besides its due times. A paused one, too.'),
} as const;
export type ScheduleVerb = keyof typeof SCHEDULE_COMMANDS;
export const isScheduleVerb = (verb: string): verb is ScheduleVerb => Object.hasOwn(SCHEDULE_COMMANDS, verb);

const byId = <P extends Parameters<typeof Type.Object>[0]>({
  properties,
  description,
}: {
  properties: P;
  description?: string;
}) =>
  Type.Object(
    { id: ScheduleId, ...properties },
    { additionalProperties: false, ...(description !== undefined && { description }) },
  );

const { requestId, operatorId } = commandMeta;

/** Requests of `sms.api.schedule.<verb>`. */
export const SCHEDULE_API = {
  create: Type.Object(
    { id: Type.Optional(ScheduleId), ...SCHEDULE_COMMANDS.create.properties },
    { additionalProperties: false, description: 'Creates a schedule; without an id it gets a ULID.' },
  ),
  update: byId(SCHEDULE_COMMANDS.update),
  pause: byId(SCHEDULE_COMMANDS.pause),
  resume: byId(SCHEDULE_COMMANDS.resume),
  cancel: byId(SCHEDULE_COMMANDS.cancel),
  run: Type.Object(
    {
      id: ScheduleId,
      wait: Type.Optional(Type.Boolean({ description: 'Answers when the run has ended.' })),
      timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000 })),
      ...SCHEDULE_COMMANDS.run.properties,
    },
    { additionalProperties: false, description: 'Runs it now, besides its due times. A paused one, too.' },
  ),
  get: Type.Object(
    { id: ScheduleId, requestId, operatorId },
    { additionalProperties: false, description: 'One schedule, its next ten runs and its last ten.' },
  ),
  list: Type.Object(
    {
      state: Type.Optional(Type.Enum(SCHEDULE_STATES)),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
      cursor: Type.Optional(Type.String({ maxLength: 64, description: 'nextCursor of the page before.' })),
      requestId,
      operatorId,
    },
    { additionalProperties: false, description: 'Schedules by ID, page by page.' },
  ),
  preview: Type.Object(
    {
      id: Type.Optional(ScheduleId),
      schedule: Type.Optional(ScheduleInput),
      count: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 10 })),
      from: Type.Optional(instant('Runs after this time; default now.')),
      requestId,
      operatorId,
    },
    {
      additionalProperties: false,
      description: 'The next runs of a schedule, or of one that is not created yet, with all its findings.',
    },
  ),
} as const;

export const ScheduleListAnswer = Type.Object({
  schedules: Type.Array(ScheduleView),
  nextCursor: Type.Optional(Type.String()),
});

export const PreviewAnswer = Type.Object({ runs: Type.Array(PlannedRun) });
export type PreviewAnswer = Static<typeof PreviewAnswer>;

/** What `sms.api.schedule.run` answers. */
export const RunAnswer = Type.Object({ id: ScheduleId, run: ScheduleRun });
export type RunAnswer = Static<typeof RunAnswer>;
