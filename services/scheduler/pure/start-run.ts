import type { Finding } from '../../../contracts/errors.ts';
import { DEFAULT_TASK_TIMEOUT_MS, type ScheduleTarget } from '../../../contracts/schedule.ts';
import { commandSubject, STREAMS, taskRunSubject } from '../../../contracts/subjects.ts';
import type { TaskRunRequest } from '../../../contracts/task-api.ts';
import {
  compactTime,
  createCommand,
  fillTemplate,
  type TemplateUse,
  uploadOf,
} from '../../../lib/batch/template.ts';
import { addRun, type Draft, emit, iso } from './draft.ts';

/** The task that imports a template's upload and then creates the batch. */
export const IMPORT_TASK = 'import-and-start';
const IMPORT_TIMEOUT_MS = 3_600_000;
/** A lost answer of a task is waited for so much longer than the task itself may take. */
const TASK_GRACE_MS = 60_000;

export interface StartOptions {
  dueAt: number;
  manual?: boolean | undefined;
  requestId?: string | undefined;
  /** Over the config of a task, for this run. */
  config?: Record<string, unknown> | undefined;
}

/** `<id>-20261124T120000Z`; of a run by hand `<id>-run<time>`: also the ID of the batch that a template makes. */
export const runIdOf = (scheduleId: string, dueAt: number, manual = false): string =>
  manual ? `${scheduleId}-run${dueAt.toString(36)}` : `${scheduleId}-${compactTime(new Date(dueAt))}`;

/** The schedule of a run, by the run's ID. */
export const scheduleOfRun = (runId: string | undefined): string | undefined =>
  /^(.+)-(?:\d{8}T\d{6}Z|run[0-9a-z]+)$/.exec(runId ?? '')?.[1];

const OPERATOR = 'schedule:';
export const operatorOf = (scheduleId: string): string => `${OPERATOR}${scheduleId}`;
/** The schedule that sent a command, by the command's operator. */
export const scheduleOfOperator = (operatorId: string | undefined): string | undefined =>
  operatorId?.startsWith(OPERATOR) ? operatorId.slice(OPERATOR.length) : undefined;

/** Starts one run: its messages, its record, and what is known to go on. */
export function startRun(draft: Draft, options: StartOptions): void {
  const { doc } = draft;
  const { dueAt, manual, requestId } = options;
  const runId = runIdOf(doc._id, dueAt, manual);
  const run = { dueAt, runId, ...(manual && { manual }), ...(requestId !== undefined && { requestId }) };
  const { target } = doc.definition;
  doc.started += 1;
  switch (target.kind) {
    case 'publish':
      draft.messages.push({
        subject: target.subject,
        stream: doc.stream ?? null,
        body: bodyOf(target.payload),
        msgId: `run:${runId}:${doc.createdAt}`,
        ...(target.headers && { headers: target.headers }),
      });
      addRun(draft, { ...run, outcome: 'published' });
      return;
    case 'batch.start':
      draft.messages.push({
        subject: commandSubject(target.batchId, 'start'),
        stream: STREAMS.commands,
        body: { ...(target.steps && { steps: target.steps }), ...metaOf(doc._id, runId) },
        msgId: `run:${runId}:${doc.createdAt}`,
      });
      doc.active.push({ runId, dueAt, since: draft.nowMs, batchId: target.batchId });
      addRun(draft, { ...run, outcome: 'started', batchId: target.batchId });
      return;
    case 'batch.template':
      startTemplate(draft, target, runId, run);
      return;
    case 'task':
      pushTask(draft, runId, dueAt, {
        task: target.task,
        config: { ...target.config, ...options.config },
        timeoutMs: target.timeoutMs ?? DEFAULT_TASK_TIMEOUT_MS,
      });
      addRun(draft, { ...run, outcome: 'started' });
      return;
  }
}

function startTemplate(
  draft: Draft,
  { template }: ScheduleTarget & { kind: 'batch.template' },
  runId: string,
  run: { dueAt: number; runId: string },
): void {
  const { doc } = draft;
  const use: TemplateUse = {
    batchId: runId,
    origin: { kind: 'schedule', id: doc._id, at: iso(run.dueAt) },
    timeZone: doc.definition.timeZone,
  };
  const upload = uploadOf(template, use);
  const filled = fillTemplate(template, upload ? { ...use, table: runId } : use);
  if (!filled.ok || upload?.ok === false) {
    const findings = [...(filled.ok ? [] : filled.errors), ...(upload && !upload.ok ? upload.errors : [])];
    drop(draft, run, inWords(findings));
    return;
  }
  const command = createCommand(filled.value, use, metaOf(doc._id, runId));
  if (upload?.ok) {
    pushTask(
      draft,
      runId,
      run.dueAt,
      {
        task: IMPORT_TASK,
        timeoutMs: IMPORT_TIMEOUT_MS,
        config: {
          table: runId,
          upload: upload.value,
          ...(filled.value.defaultCountry && { defaultCountry: filled.value.defaultCountry }),
          create: command.body,
        },
      },
      runId,
    );
  } else {
    const { subject, stream, body, msgId } = command;
    draft.messages.push({ subject, stream, body: body as object, msgId });
    doc.active.push({ runId, dueAt: run.dueAt, since: draft.nowMs, batchId: runId });
  }
  addRun(draft, { ...run, outcome: 'started', batchId: runId });
}

function pushTask(
  draft: Draft,
  runId: string,
  dueAt: number,
  request: Pick<TaskRunRequest, 'task' | 'config' | 'timeoutMs'>,
  batchId?: string,
): void {
  const { doc } = draft;
  const body: TaskRunRequest = { ...request, scheduleId: doc._id, runId, dueAt: iso(dueAt) };
  draft.messages.push({
    subject: taskRunSubject(request.task, runId),
    stream: STREAMS.schedules,
    body,
    msgId: `run:${runId}:${doc.createdAt}`,
  });
  doc.active.push({
    runId,
    dueAt,
    since: draft.nowMs,
    deadlineAt: draft.nowMs + request.timeoutMs + TASK_GRACE_MS,
    ...(batchId !== undefined && { batchId }),
  });
}

export function drop(draft: Draft, run: { dueAt: number; runId?: string }, reason: string): void {
  addRun(draft, { ...run, outcome: 'dropped', reason });
  emit(draft, 'run-dropped', { dueAt: iso(run.dueAt), reason });
}

const metaOf = (scheduleId: string, runId: string) => ({
  requestId: runId,
  operatorId: operatorOf(scheduleId),
  reason: `schedule ${scheduleId}`,
});

const bodyOf = (payload: unknown): object | string => {
  if (payload === undefined) return '';
  return typeof payload === 'string' ? payload : (payload as object);
};

const inWords = (findings: readonly Finding[]): string =>
  findings
    .map(({ field, expected }) => `${field}: expected ${expected}`)
    .join('; ')
    .slice(0, 900);
