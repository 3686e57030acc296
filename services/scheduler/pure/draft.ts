import type { ScheduleEventBody, ScheduleEventName } from '../../../contracts/schedule-events.ts';
import { eventSubject, STREAMS } from '../../../contracts/subjects.ts';
import type { OutboxEntry, RunMessage, RunRecord, ScheduleDocument } from '../schedule-document.ts';

/** Runs that a schedule remembers. */
const RUNS_KEPT = 10;
/** Due times, and other causes, whose messages are remembered: those that may come a second time soon. */
const OUTBOX_KEPT = 8;
/** A due time whose host has died before it published comes again within seconds; a command may have armed the next meanwhile. */
const DUE_KEPT_MS = 60_000;

const DUE = 'due:';
export const dueCause = (dueAt: number): string => `${DUE}${dueAt}`;

/** A decision in the making: a copy of the document, and what is to be published for its cause. */
export interface Draft {
  doc: ScheduleDocument;
  cause: string;
  nowMs: number;
  messages: RunMessage[];
}

/** What was decided for a cause that comes again; undefined: it is new. */
export const decidedBefore = (doc: ScheduleDocument, cause: string): OutboxEntry | undefined =>
  doc.outbox.find((entry) => entry.cause === cause);

export function beginDraft(doc: ScheduleDocument, cause: string, nowMs: number): Draft {
  const copy: ScheduleDocument = {
    ...doc,
    revision: doc.revision + 1,
    active: [...doc.active],
    runs: [...doc.runs],
    updatedAt: nowMs,
  };
  return { doc: copy, cause, nowMs, messages: [] };
}

export function finishDraft({ doc, cause, nowMs, messages }: Draft): ScheduleDocument {
  const earlier = cause.startsWith(DUE)
    ? doc.outbox.filter((entry) => mayComeAgain(entry, nowMs))
    : doc.outbox;
  const all = [...earlier, { cause, messages, at: nowMs }];
  // Each kind by itself: a flood of commands must not drive out a run that is not published yet.
  const kept = (due: boolean) => all.filter((each) => each.cause.startsWith(DUE) === due).slice(-OUTBOX_KEPT);
  doc.outbox = [...kept(false), ...kept(true)];
  doc.runs = doc.runs.slice(-RUNS_KEPT);
  return doc;
}

/** Templates are large: of due times only what a redelivery may still ask for is kept. */
const mayComeAgain = ({ cause, at = 0 }: OutboxEntry, nowMs: number): boolean =>
  !cause.startsWith(DUE) || nowMs - at < DUE_KEPT_MS;

export function addRun(draft: Draft, run: Omit<RunRecord, 'decidedAt'>): void {
  draft.doc.runs.push({ ...run, decidedAt: draft.nowMs });
}

type EventFields<N extends ScheduleEventName> = Omit<ScheduleEventBody<N>, 'scheduleId' | 'at'>;

export function emit<N extends ScheduleEventName>(draft: Draft, event: N, fields: EventFields<N>): void {
  const { doc, cause, nowMs } = draft;
  draft.messages.push({
    subject: eventSubject(doc._id, event),
    stream: STREAMS.events,
    body: { scheduleId: doc._id, at: iso(nowMs), ...fields },
    msgId: `${doc._id}:${doc.createdAt}:${cause}:${event}:${draft.messages.length}`,
  });
}

export const iso = (ms: number): string => new Date(ms).toISOString();
