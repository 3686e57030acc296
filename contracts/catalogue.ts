import Type, { type TSchema } from 'typebox';
import { BATCH_ANSWERS, RecipientAnswer } from './batch-answers.ts';
import { BATCH_API, BatchView, RecipientGet } from './batch-api.ts';
import { COMMANDS } from './commands.ts';
import { DEAD_API, DeadDropAnswer, DeadLetter, DeadListAnswer, DeadReplayAnswer } from './dead-api.ts';
import { ErrorBody } from './errors.ts';
import { EVENTS } from './events.ts';
import { ProviderListAnswer, ProviderListRequest } from './provider-api.ts';
import { OrphansAnswer, RECEIPT_API } from './receipt-api.ts';
import { ReceiptGroup } from './receipts.ts';
import { RULE_API, RuleDeleted, RuleListAnswer, RuleTestAnswer, RuleView } from './rule-api.ts';
import { TARGETS } from './schedule.ts';
import {
  PreviewAnswer,
  RunAnswer,
  SCHEDULE_API,
  SCHEDULE_COMMANDS,
  ScheduleListAnswer,
  ScheduleView,
} from './schedule-api.ts';
import { SCHEDULE_EVENTS } from './schedule-events.ts';
import { InvalidateAnswer, ServiceMetrics, STATS_API, SyncAnswer } from './stats-api.ts';
import { StepListRequest, StepListResponse, StepRegisterRequest, StepView } from './step-api.ts';
import { StepTask } from './steps.ts';
import {
  apiSubject,
  commandSubject,
  eventSubject,
  receiptSubject,
  scheduleCommandSubject,
  taskSubject,
} from './subjects.ts';
import {
  ImportReport,
  ImportStarted,
  TABLE_SOURCES,
  TableAppendRequest,
  TableDeleted,
  TableDeleteRequest,
  TableGetAnswer,
  TableGetRequest,
  TableImportRequest,
  TableListAnswer,
  TableListRequest,
} from './tables.ts';
import { TaskRunAnswer, TaskRunRequest } from './task-api.ts';

/** Folders of contracts/schemas/. Commands and events have nothing in common, on purpose. */
export const SCHEMA_KINDS = [
  'commands',
  'events',
  'steps',
  'receipts',
  'requests',
  'answers',
  'sources',
  'targets',
  'errors',
] as const;
export type SchemaKind = (typeof SCHEMA_KINDS)[number];

/** One body that travels between programs. */
export interface CatalogueEntry {
  kind: SchemaKind;
  /** A verb, an event, `<noun>.<verb>`. Unique within its kind. */
  name: string;
  /** Where it travels; undefined for what is only part of another body. */
  subject: string | undefined;
  description: string;
  schema: TSchema;
}

const described = (schema: TSchema, otherwise: string): string =>
  (schema as { description?: string }).description ?? otherwise;

const ID = '<batchId>';
const SCHEDULE = '<scheduleId>';

const ANSWERS_OF_STEPS: Record<string, string> = {
  'step-done': 'Answer of a step: the task’s work is done and stored.',
  'step-failed': 'Answer of a step: the task cannot go on; the phase fails and can be retried.',
  'step-yielded': 'Answer of a step: stopped before the end, everything accounted.',
};

const commands = Object.entries(COMMANDS).map(
  ([name, schema]): CatalogueEntry => ({
    kind: 'commands',
    name,
    subject: commandSubject(ID, name),
    description: described(schema, ANSWERS_OF_STEPS[name] ?? name),
    schema,
  }),
);

const scheduleCommands = Object.entries(SCHEDULE_COMMANDS).map(
  ([verb, schema]): CatalogueEntry => ({
    kind: 'commands',
    name: `schedule.${verb}`,
    subject: scheduleCommandSubject(SCHEDULE, verb),
    description: described(schema, verb),
    schema,
  }),
);

const scheduleEvents = Object.entries(SCHEDULE_EVENTS).map(
  ([name, schema]): CatalogueEntry => ({
    kind: 'events',
    name,
    subject: eventSubject(SCHEDULE, name),
    description: described(schema, name),
    schema,
  }),
);

const targets = Object.entries(TARGETS).map(
  ([name, schema]): CatalogueEntry => ({
    kind: 'targets',
    name,
    subject: undefined,
    description: described(schema, name),
    schema,
  }),
);

const events = Object.entries(EVENTS).map(
  ([name, schema]): CatalogueEntry => ({
    kind: 'events',
    name,
    subject: eventSubject(ID, name),
    description: described(schema, name),
    schema,
  }),
);

const request = (noun: string, verb: string, schema: TSchema, otherwise = ''): CatalogueEntry => ({
  kind: 'requests',
  name: `${noun}.${verb}`,
  subject: apiSubject(noun, verb),
  description: described(schema, otherwise),
  schema,
});

const verbOf = (verb: string): string =>
  verb in COMMANDS ? described(COMMANDS[verb as keyof typeof COMMANDS], verb) : verb;

const requests: CatalogueEntry[] = [
  ...Object.entries(BATCH_API).map(([verb, schema]) => request('batch', verb, schema, verbOf(verb))),
  request('recipient', 'get', RecipientGet),
  request('table', 'import', TableImportRequest, 'Streams a file, an object or a collection into a table.'),
  request('table', 'append', TableAppendRequest, 'Adds rows to a table, or makes it.'),
  request('table', 'get', TableGetRequest, 'A table and its imports.'),
  request('table', 'list', TableListRequest, 'Tables by name, page by page.'),
  request('table', 'delete', TableDeleteRequest, 'Removes a table; batches keep what they have frozen.'),
  request('step', 'list', StepListRequest, 'Which steps a chain may name.'),
  request(
    'step',
    'register',
    StepRegisterRequest,
    'A program of yours works on the tasks of a type; chains may name it.',
  ),
  request('provider', 'list', ProviderListRequest),
  ...Object.entries(STATS_API).map(([verb, schema]) => request('stats', verb, schema)),
  ...Object.entries(RECEIPT_API).map(([verb, schema]) => request('receipt', verb, schema)),
  ...Object.entries(DEAD_API).map(([verb, schema]) => request('dead', verb, schema)),
  ...Object.entries(SCHEDULE_API).map(([verb, schema]) => request('schedule', verb, schema)),
  ...Object.entries(RULE_API).map(([verb, schema]) => request('rule', verb, schema)),
];

const answer = (name: string, schema: TSchema, otherwise = ''): CatalogueEntry => ({
  kind: 'answers',
  name,
  subject: undefined,
  description: described(schema, otherwise),
  schema,
});

const answers: CatalogueEntry[] = [
  answer('batch', BatchView),
  ...Object.entries(BATCH_ANSWERS)
    .filter(([, schema]) => schema !== BatchView)
    .map(([verb, schema]) => answer(`batch.${verb}`, schema)),
  answer('recipient.get', RecipientAnswer),
  answer(
    'table.import',
    Type.Union([ImportReport, ImportStarted]),
    'What an import has put into its table, and what it left out; without `wait` that it has begun.',
  ),
  answer('table.append', ImportReport, 'What an append has put into its table, and what it left out.'),
  answer('table.get', TableGetAnswer, 'A table and its imports.'),
  answer('table.list', TableListAnswer, 'A page of tables.'),
  answer('table.delete', TableDeleted),
  answer('step.list', StepListResponse, 'The steps that a chain may name.'),
  answer('step.register', StepView, 'The step as chains may name it from now on.'),
  answer('provider.list', ProviderListAnswer, 'The carrier accounts.'),
  answer('stats.sync', SyncAnswer, 'What a repair has found.'),
  answer('stats.invalidate', InvalidateAnswer, 'Whether there were figures.'),
  answer('stats.metrics', ServiceMetrics, 'Health and counters of the service.'),
  answer('schedule', ScheduleView),
  answer('schedule.list', ScheduleListAnswer, 'A page of schedules.'),
  answer('schedule.run', RunAnswer, 'The run that was asked for.'),
  answer('schedule.preview', PreviewAnswer, 'What a schedule will do.'),
  answer('task', TaskRunAnswer),
  answer('receipt.orphans', OrphansAnswer, 'A page of receipts that fit no message.'),
  ...['create', 'get', 'update'].map((verb) => answer(`rule.${verb}`, RuleView)),
  answer('rule.list', RuleListAnswer, 'A page of rules.'),
  answer('rule.delete', RuleDeleted, 'Whether there was such a rule.'),
  answer('rule.test', RuleTestAnswer, 'What an event would become.'),
  answer('dead.list', DeadListAnswer, 'A page of dead letters.'),
  answer('dead.get', DeadLetter),
  answer('dead.replay', DeadReplayAnswer, 'Which letters were published again.'),
  answer('dead.drop', DeadDropAnswer, 'Which letters were removed.'),
];

const sources = Object.entries(TABLE_SOURCES).map(
  ([name, schema]): CatalogueEntry => ({
    kind: 'sources',
    name,
    subject: undefined,
    description: `Where table.import reads from: \`source\` of kind ${name}.`,
    schema,
  }),
);

/** Every body that travels between programs, for schemas, docs and tests. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  ...commands,
  ...scheduleCommands,
  ...events,
  ...scheduleEvents,
  {
    kind: 'steps',
    name: 'task',
    subject: `sms.step.<type>.${ID}.<task>-<epoch>`,
    description: 'One task of a step; answered with step-done, step-failed or step-yielded.',
    schema: StepTask,
  },
  {
    kind: 'receipts',
    name: 'group',
    subject: receiptSubject('<provider>'),
    description: 'Delivery receipts and late answers in one group, stored before any of it is answered.',
    schema: ReceiptGroup,
  },
  ...requests,
  {
    kind: 'requests',
    name: 'task',
    subject: taskSubject('<type>'),
    description: described(TaskRunRequest, 'task'),
    schema: TaskRunRequest,
  },
  ...answers,
  ...sources,
  ...targets,
  {
    kind: 'errors',
    name: 'error',
    subject: undefined,
    description: 'The one shape of an error: in rejected events and in every answer.',
    schema: ErrorBody,
  },
];
