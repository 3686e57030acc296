import { isBatchId } from './ids.ts';

/** Commands are spread over this many partitions; changing it needs a new stream. */
export const PARTITIONS = 32;

export const STREAMS = {
  commands: 'SMS_COMMANDS',
  steps: 'SMS_STEPS',
  events: 'SMS_EVENTS',
  receipts: 'SMS_RECEIPTS',
  dead: 'SMS_DEAD',
} as const;

/** The object store from which recipient files are imported: `nats object put SMS_UPLOADS people.csv`. */
export const UPLOADS_STORE = 'SMS_UPLOADS';

export const COMMAND_SUBJECTS = 'sms.cmd.*.*';
export const STEP_SUBJECTS = 'sms.step.*.*.*';
export const EVENT_SUBJECTS = 'sms.evt.*.*';
export const RECEIPT_SUBJECTS = 'sms.receipt.*';
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
