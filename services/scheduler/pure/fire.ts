import { DEFAULT_CATCH_UP_SECONDS } from '../../../contracts/schedule.ts';
import type { ScheduleDefinition, ScheduleDocument } from '../schedule-document.ts';
import { catchUp } from './catch-up.ts';
import { addRun, beginDraft, type Draft, decidedBefore, dueCause, emit, finishDraft, iso } from './draft.ts';
import { type EndedRun, endRuns } from './end-run.ts';
import { jitterMs } from './jitter.ts';
import { decideOverlap } from './overlap.ts';
import { startRun } from './start-run.ts';

/** The due time after another by the definition alone: zone, exclusions, startAt and endAt included. */
export type NextDue = (afterMs: number) => number | undefined;

/** What a timer carries. */
export interface DueMessage {
  version: number;
  dueAt: number;
}

export interface FireFacts {
  nowMs: number;
  nextDue: NextDue;
  /** Active runs that have come to an end without our having heard of it. */
  ended: readonly EndedRun[];
  /** MongoDB was set back and told so, ms since 1970: what was due before may have run, and is not known to have. */
  restoredAt?: number;
}

export type FireDecision =
  /** A new decision, to be stored. */
  | { kind: 'decided'; doc: ScheduleDocument; cause: string }
  /** Stored before: its messages are published again. */
  | { kind: 'again'; cause: string }
  /** An older definition, or a schedule that waits for nothing. */
  | { kind: 'stale'; why: string };

/** What becomes of a due time: decided once, whatever comes twice or late. */
export function decideFire(doc: ScheduleDocument, due: DueMessage, facts: FireFacts): FireDecision {
  const cause = dueCause(due.dueAt);
  if (decidedBefore(doc, cause)) return { kind: 'again', cause };
  if (doc.state !== 'active') return { kind: 'stale', why: `the schedule is ${doc.state}` };
  if (due.version !== doc.version) {
    return { kind: 'stale', why: `version ${due.version}; now ${doc.version}` };
  }
  if (doc.next?.dueAt !== due.dueAt) return { kind: 'stale', why: 'another due time is armed' };
  const draft = beginDraft(doc, cause, facts.nowMs);
  decideDue(draft, due.dueAt, facts);
  return { kind: 'decided', doc: finishDraft(draft), cause };
}

/** Decides the run that is armed, and plans the one after it. */
export function decideDue(draft: Draft, dueAt: number, facts: FireFacts): void {
  const { doc } = draft;
  endRuns(draft, facts.ended);
  const { catchUpSeconds, catchUp: policy } = doc.definition;
  const fireAt = (due: number) => fireTime(doc._id, doc.definition, due);
  const windowMs = (catchUpSeconds ?? DEFAULT_CATCH_UP_SECONDS) * 1000;
  const sinceRestoreMs = Math.max(0, facts.nowMs - (facts.restoredAt ?? 0));
  const { run, missed } = catchUp({
    policy: policy ?? 'last-only',
    windowMs: Math.min(windowMs, sinceRestoreMs),
    dueAt,
    nowMs: facts.nowMs,
    nextAfter: facts.nextDue,
    fireAt,
  });
  if (missed) {
    const lateS = Math.round((facts.nowMs - missed.from) / 1000);
    miss(
      draft,
      missed,
      fireTime(doc._id, doc.definition, missed.from) < (facts.restoredAt ?? 0)
        ? 'due before MongoDB was set back: it may have run'
        : `${lateS} s late: beyond the catch-up window, or a later run takes its place`,
    );
  }
  if (run !== undefined) startOrWait(draft, run);
  // The schedule may have paused itself: too many of its runs have failed.
  if (doc.state === 'active') planAfter(draft, run ?? missed?.to ?? dueAt, facts.nextDue);
}

/** When a due time fires: with its jitter. */
export const fireTime = (id: string, { jitterSeconds = 0 }: ScheduleDefinition, dueAt: number): number =>
  dueAt + jitterMs(id, dueAt, jitterSeconds * 1000);

/** Due times that get no run: recorded and told, with the reason. */
export function miss(draft: Draft, { from, to }: { from: number; to: number }, reason: string): void {
  addRun(draft, { dueAt: from, outcome: 'missed', reason });
  emit(draft, 'run-missed', { dueAt: iso(from), ...(to > from && { until: iso(to) }), reason });
}

function startOrWait(draft: Draft, dueAt: number): void {
  const { doc } = draft;
  const decision = decideOverlap(
    doc.definition.overlap ?? 'skip',
    doc.active.length,
    doc.buffered !== undefined,
  );
  switch (decision.kind) {
    case 'start':
      startRun(draft, { dueAt });
      return;
    case 'buffer':
      doc.buffered = dueAt;
      addRun(draft, { dueAt, outcome: 'buffered', reason: 'waits for the run before' });
      return;
    case 'skip':
      addRun(draft, { dueAt, outcome: 'skipped', reason: decision.reason });
      emit(draft, 'run-skipped', { dueAt: iso(dueAt), reason: decision.reason });
  }
}

/** Plans the next due time after an instant; a schedule that has none left is done. */
export function planAfter(draft: Pick<Draft, 'doc'>, afterMs: number, nextDue: NextDue): void {
  const { doc } = draft;
  const { maxRuns } = doc.definition;
  const begun = doc.started + (doc.buffered === undefined ? 0 : 1);
  const dueAt = maxRuns !== undefined && begun >= maxRuns ? undefined : nextDue(afterMs);
  if (dueAt === undefined) {
    delete doc.next;
    doc.state = 'done';
    return;
  }
  doc.next = { dueAt, fireAt: fireTime(doc._id, doc.definition, dueAt) };
}
