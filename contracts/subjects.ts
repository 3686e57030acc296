import { isBatchId } from './ids.ts';

/** Commands are spread over this many partitions; changing it needs a new stream. */
export const PARTITIONS = 32;

export const STREAMS = {
  commands: 'SMS_COMMANDS',
  steps: 'SMS_STEPS',
  events: 'SMS_EVENTS',
  receipts: 'SMS_RECEIPTS',
  schedules: 'SMS_SCHEDULES',
  triggers: 'SMS_TRIGGERS',
  dead: 'SMS_DEAD',
} as const;

/** The object store from which recipient files are imported: `nats object put SMS_UPLOADS people.csv`. */
export const UPLOADS_STORE = 'SMS_UPLOADS';

export const COMMAND_SUBJECTS = 'sms.cmd.*.*';
export const STEP_SUBJECTS = 'sms.step.*.*.*';
export const EVENT_SUBJECTS = 'sms.evt.*.*';
export const RECEIPT_SUBJECTS = 'sms.receipt.*';
export const TRIGGER_SUBJECTS = 'sms.trigger.>';
export const DEAD_SUBJECTS = 'sms.dead.>';

/** What anyone publishes to: `sms.cmd.<batchId>.<verb>`. */
export const commandSubject = (batchId: string, verb: string): string => `sms.cmd.${batchId}.${verb}`;

/** What lies in the stream: `sms.cmd.<partition>.<batchId>.<verb>`, made by the stream's subject transform. */
export const COMMAND_TRANSFORM = {
  src: COMMAND_SUBJECTS,
  dest: `sms.cmd.{{partition(${PARTITIONS},1)}}.{{wildcard(1)}}.{{wildcard(2)}}`,
} as const;

export const partitionSubjects = (partition: number): string => `sms.cmd.${partition}.*.*`;
export const partitionConsumer = (partition: number): string => `batch-${partition}`;

export interface CommandSubject {
  batchId: string;
  verb: string;
}

/** Parses a command's subject, with or without the partition token. */
export function parseCommandSubject(subject: string): CommandSubject | undefined {
  const tokens = subject.split('.');
  if (tokens[0] !== 'sms' || tokens[1] !== 'cmd') return undefined;
  const [batchId, verb] = tokens.length === 5 ? tokens.slice(3) : tokens.length === 4 ? tokens.slice(2) : [];
  return batchId !== undefined && verb !== undefined ? { batchId, verb } : undefined;
}

/** `sms.step.<type>.<batchId>.<n>-<epoch>`: one task of one step. */
export const stepSubject = (type: string, batchId: string, n: number, epoch: number): string =>
  `sms.step.${type}.${batchId}.${n}-${epoch}`;
export const stepTypeSubjects = (type: string): string => `sms.step.${type}.*.*`;
export const stepConsumer = (type: string): string => `step-${type}`;

export interface StepSubject {
  type: string;
  batchId: string;
  n: number;
  epoch: number;
}

export function parseStepSubject(subject: string): StepSubject | undefined {
  const match = /^sms\.step\.([^.]+)\.([^.]+)\.(\d+)-(\d+)$/.exec(subject);
  if (!match || !isBatchId(match[2]!)) return undefined;
  return { type: match[1]!, batchId: match[2]!, n: Number(match[3]), epoch: Number(match[4]) };
}

export const eventSubject = (batchId: string, event: string): string => `sms.evt.${batchId}.${event}`;

export interface EventSubject {
  batchId: string;
  event: string;
}

export function parseEventSubject(subject: string): EventSubject | undefined {
  const match = /^sms\.evt\.([^.]+)\.([^.]+)$/.exec(subject);
  return match ? { batchId: match[1]!, event: match[2]! } : undefined;
}

export const receiptSubject = (provider: string): string => `sms.receipt.${provider}`;
export const RECEIPT_CONSUMER = 'receipts';
export const STATS_CONSUMER = 'stats';

/** A timer: one message on `sms.schedule.<key>`, which the server moves to `sms.due.<key>` at its instant. */
export const TIMER_SUBJECTS = 'sms.schedule.*';
export const DUE_SUBJECTS = 'sms.due.*';
export const timerSubject = (key: string): string => `sms.schedule.${key}`;
export const dueSubject = (key: string): string => `sms.due.${key}`;
/** A batch has the timer of its own scheduleTime, a schedule that of its next run. */
export const batchTimer = (batchId: string): string => `b_${batchId}`;
export const scheduleTimer = (scheduleId: string): string => `s_${scheduleId}`;

export interface DueSubject {
  kind: 'batch' | 'schedule';
  id: string;
}

export function parseDueSubject(subject: string): DueSubject | undefined {
  const match = /^sms\.due\.([bs])_([^.]+)$/.exec(subject);
  return match ? { kind: match[1] === 'b' ? 'batch' : 'schedule', id: match[2]! } : undefined;
}

/** `sms.schedule.<id>.<verb>`: a command to a schedule. */
export const SCHEDULE_COMMAND_SUBJECTS = 'sms.schedule.*.*';
export const scheduleCommandSubject = (id: string, verb: string): string => `sms.schedule.${id}.${verb}`;

export function parseScheduleCommandSubject(subject: string): { id: string; verb: string } | undefined {
  const match = /^sms\.schedule\.([^.]+)\.([^.]+)$/.exec(subject);
  return match ? { id: match[1]!, verb: match[2]! } : undefined;
}

/** A run of a task waits on `sms.task.<type>.<runId>`; who serves the type is asked on `sms.task.<type>`. */
export const TASK_RUN_SUBJECTS = 'sms.task.*.*';
export const taskRunSubject = (type: string, runId: string): string => `sms.task.${type}.${runId}`;
export const taskSubject = (type: string): string => `sms.task.${type}`;

export const DUE_CONSUMER = 'scheduler-due';
export const SCHEDULE_COMMAND_CONSUMER = 'scheduler-commands';
export const TASK_RUN_CONSUMER = 'scheduler-tasks';
export const RUN_ENDS_CONSUMER = 'scheduler-ends';
export const TRIGGER_CONSUMER = 'triggers';
/** One or more tokens: `sms.trigger.shop`, `sms.trigger.shop.orders`. */
export const TRIGGER_SOURCE_PATTERN = '^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$';
export const triggerSubject = (source: string): string => `sms.trigger.${source}`;

/** What a trigger's subject says of its source, whatever it is. */
export const parseTriggerSubject = (subject: string): string => subject.slice('sms.trigger.'.length);

/** Where a message that cannot be handled goes: `sms.dead.<stream>.<subject it had, without "sms.">`. */
export const deadSubject = (stream: string, subject: string): string =>
  `sms.dead.${stream}.${subject.replace(/^sms\./, '').replaceAll(/[^A-Za-z0-9_.-]/g, '_')}`;

export const deadSubjects = (stream: string): string => `sms.dead.${stream}.>`;

/** Core request/reply: `sms.api.<noun>.<verb>`. */
export const apiSubject = (noun: string, verb: string): string => `sms.api.${noun}.${verb}`;

/** Header names of our own. The reply subject is answered after the actor's turn. */
export const HEADERS = {
  replyTo: 'Sms-Reply-To',
  requestId: 'Sms-Request-Id',
  traceparent: 'traceparent',
  tracestate: 'tracestate',
} as const;
