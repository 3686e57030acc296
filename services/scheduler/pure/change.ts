import { type ErrorBody, errorBody } from '../../../contracts/errors.ts';
import type { ScheduleVerb } from '../../../contracts/schedule-api.ts';
import type { ChangeRecord, ScheduleDefinition, ScheduleDocument } from '../schedule-document.ts';
import { catchUp } from './catch-up.ts';
import { beginDraft, type Draft, dueCause, finishDraft } from './draft.ts';
import { decideDue, type FireFacts, fireTime, miss, type NextDue, planAfter } from './fire.ts';
import { startRun } from './start-run.ts';

/** Who asks, and why. */
export interface ChangeMeta {
  requestId?: string | undefined;
  operatorId?: string | undefined;
  reason?: string | undefined;
}

export interface Change {
  meta: ChangeMeta;
  facts: FireFacts;
  /** Of the definition before the change: a run that is overdue is decided by it. */
  dueBefore: NextDue;
}

export type Changed =
  | { kind: 'changed'; doc: ScheduleDocument; causes: string[] }
  | { kind: 'unchanged' }
  | { kind: 'refused'; error: ErrorBody };

const CHANGES_KEPT = 20;

const refused = (...args: Parameters<typeof errorBody>): Changed => ({
  kind: 'refused',
  error: errorBody(...args),
});

export function newSchedule(
  id: string,
  definition: ScheduleDefinition,
  options: {
    createHash: string;
    paused: boolean;
    stream: string | null | undefined;
    /** The document under this ID, where it was cancelled: its version goes on. */
    before?: ScheduleDocument | undefined;
  },
  { meta, facts }: Change,
): Changed {
  const { before, stream } = options;
  const doc: ScheduleDocument = {
    _id: id,
    version: (before?.version ?? 0) + 1,
    revision: before?.revision ?? 0,
    createHash: options.createHash,
    definition,
    ...(stream !== undefined && { stream }),
    state: 'active',
    started: 0,
    failuresInARow: 0,
    active: [],
    runs: [],
    outbox: [],
    history: before?.history ?? [],
    createdAt: facts.nowMs,
    updatedAt: facts.nowMs,
  };
  const draft = beginDraft(doc, changeCause(doc.version), facts.nowMs);
  if (options.paused) pauseDraft(draft, meta);
  else planFrom(draft, facts);
  return finishChange(draft, 'create', meta);
}

export function update(
  before: ScheduleDocument,
  definition: ScheduleDefinition,
  stream: string | null | undefined,
  change: Change,
): Changed {
  if (before.state === 'cancelled') return over(before);
  if (JSON.stringify(definition) === JSON.stringify(before.definition)) return { kind: 'unchanged' };
  const { draft, causes } = open(before, change);
  const { doc } = draft;
  doc.definition = definition;
  if (stream === undefined) delete doc.stream;
  else doc.stream = stream;
  if (doc.state !== 'paused') {
    doc.state = 'active';
    planFrom(draft, change.facts);
  }
  return finishChange(draft, 'update', change.meta, causes);
}

export function pause(before: ScheduleDocument, change: Change): Changed {
  if (before.state === 'paused') return { kind: 'unchanged' };
  if (before.state !== 'active') return over(before);
  const { draft, causes } = open(before, change);
  pauseDraft(draft, change.meta);
  return finishChange(draft, 'pause', change.meta, causes);
}

export function resume(before: ScheduleDocument, change: Change): Changed {
  if (before.state === 'active') return { kind: 'unchanged' };
  if (before.state !== 'paused') return over(before);
  const { draft, causes } = open(before, change);
  const { doc } = draft;
  doc.state = 'active';
  doc.failuresInARow = 0;
  delete doc.paused;
  planFrom(draft, change.facts);
  return finishChange(draft, 'resume', change.meta, causes);
}

export function cancel(before: ScheduleDocument, change: Change): Changed {
  if (before.state === 'cancelled') return { kind: 'unchanged' };
  const { draft, causes } = open(before, change);
  const { doc } = draft;
  doc.state = 'cancelled';
  delete doc.next;
  delete doc.buffered;
  delete doc.paused;
  return finishChange(draft, 'cancel', change.meta, causes);
}

/** A run besides the due times; whatever the overlap says, a person has asked for it. */
export function runNow(
  before: ScheduleDocument,
  cause: string,
  atMs: number,
  { config, requestId }: { config?: Record<string, unknown>; requestId?: string },
  nowMs: number,
): Changed {
  if (before.state === 'cancelled') return over(before);
  const draft = beginDraft(before, cause, nowMs);
  startRun(draft, { dueAt: atMs, manual: true, config, requestId });
  return { kind: 'changed', doc: finishDraft(draft), causes: [cause] };
}

export const changeCause = (version: number): string => `change:${version}`;

/** A change whose armed instant has passed undecided decides that run in the same write: its timer would be stale. */
function open(before: ScheduleDocument, { facts, dueBefore }: Change): { draft: Draft; causes: string[] } {
  let doc = before;
  const causes: string[] = [];
  if (doc.state === 'active' && doc.next && doc.next.fireAt <= facts.nowMs) {
    const cause = dueCause(doc.next.dueAt);
    const decided = beginDraft(doc, cause, facts.nowMs);
    decideDue(decided, doc.next.dueAt, { ...facts, nextDue: dueBefore });
    doc = finishDraft(decided);
    causes.push(cause);
  }
  const draft = beginDraft(doc, changeCause(doc.version + 1), facts.nowMs);
  if (draft.doc.state === 'active') tellOverdue(draft, dueBefore);
  draft.doc.version += 1;
  delete draft.doc.next;
  return { draft, causes };
}

/** Due times that were to be caught up one by one, behind the one that is decided: the change comes before their turn. */
function tellOverdue(draft: Draft, nextDue: NextDue): void {
  const { next, definition } = draft.doc;
  if (!next || next.fireAt > draft.nowMs) return;
  const fireAt = (due: number) => fireTime(draft.doc._id, definition, due);
  const { missed } = catchUp({
    policy: 'last-only',
    windowMs: -1,
    dueAt: next.dueAt,
    nowMs: draft.nowMs,
    nextAfter: nextDue,
    fireAt,
  });
  if (missed) miss(draft, missed, 'the schedule was changed before its turn');
}

/** From now on; a single run that was not decided yet stands, also where its time has passed: the window judges it. */
function planFrom(draft: Draft, facts: { nowMs: number; nextDue: NextDue }): void {
  const { at } = draft.doc.definition;
  const onceMs = at === undefined ? undefined : Date.parse(at);
  const decided = draft.doc.runs.some((run) => run.dueAt === onceMs && !run.manual);
  planAfter(draft, onceMs !== undefined && !decided ? onceMs - 1 : facts.nowMs, facts.nextDue);
}

function pauseDraft({ doc, nowMs }: Draft, { operatorId, reason }: ChangeMeta): void {
  doc.state = 'paused';
  delete doc.next;
  doc.paused = {
    at: nowMs,
    ...(reason !== undefined && { note: reason }),
    ...(operatorId !== undefined && { by: operatorId }),
  };
}

/** Kept with the schedule, not told as an event: a change is one document write and one publish. */
function finishChange(draft: Draft, verb: ScheduleVerb, meta: ChangeMeta, causes: string[] = []): Changed {
  const { doc, cause, nowMs } = draft;
  const { requestId, operatorId, reason } = meta;
  const entry: ChangeRecord = {
    version: doc.version,
    at: nowMs,
    verb,
    ...(requestId !== undefined && { requestId }),
    ...(operatorId !== undefined && { operatorId }),
    ...(reason !== undefined && { reason }),
  };
  doc.history = [...doc.history, entry].slice(-CHANGES_KEPT);
  return { kind: 'changed', doc: finishDraft(draft), causes: [...causes, cause] };
}

const over = ({ _id, state }: ScheduleDocument): Changed =>
  refused('state-forbids', `Schedule ${_id} is ${state}.`, [
    { field: 'state', value: state, expected: 'active or paused' },
  ]);
