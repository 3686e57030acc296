import type { EventBody, EventName } from '../../../contracts/events.ts';
import {
  type BatchEvent,
  type BatchState,
  isFinal,
  type PhaseEvent,
  phaseName,
  stateName,
} from '../../../contracts/states.ts';
import type { BatchDocument, Reason } from '../../../lib/store/batch-document.ts';
import type { Effect, EventEffect } from '../../../lib/store/effects.ts';
import { permits } from '../fsm/transitions.ts';

/** Who asks, and why; kept in the history. */
export interface CommandMeta {
  requestId?: string | undefined;
  operatorId?: string | undefined;
  reason?: string | undefined;
}

/** A turn under way: a copy of the actor's memory that the rules change, and the effects they ask for. */
export interface Turn {
  doc: BatchDocument;
  /** Server time of the command, ms since 1970: the same at each redelivery. */
  at: number;
  meta: CommandMeta;
  effects: Effect[];
  /** Hold the tasks that are out, before the state is written. */
  hold: boolean;
}

/** The newest transitions, and always the first: when it was created and how it began. */
const HISTORY_LIMIT = 200;
const HISTORY_HEAD = 20;

export function beginTurn(doc: BatchDocument, at: number, meta: CommandMeta): Turn {
  const copy = structuredClone(doc);
  copy.version += 1;
  copy.updatedAt = at;
  return { doc: copy, at, meta, effects: [], hold: false };
}

const eventMeta = (turn: Turn) => ({
  batchId: turn.doc._id,
  incarnation: turn.doc.incarnation,
  at: new Date(turn.at).toISOString(),
  ...(turn.meta.requestId !== undefined && { requestId: turn.meta.requestId }),
  ...(turn.meta.operatorId !== undefined && { operatorId: turn.meta.operatorId }),
  ...(turn.meta.reason !== undefined && { reason: turn.meta.reason }),
});

type EventFields<N extends EventName> = Omit<
  EventBody<N>,
  'batchId' | 'incarnation' | 'at' | 'requestId' | 'operatorId'
>;

export function emit<N extends EventName>(turn: Turn, event: N, fields: EventFields<N>): void {
  turn.effects.push({
    kind: 'event',
    event,
    body: { ...eventMeta(turn), ...fields },
  } as unknown as EventEffect);
}

const eventName = (event: BatchEvent | PhaseEvent, from: BatchState | null): string =>
  from?.phase && ['Execute', 'Pause', 'Paused', 'Resume', 'Complete', 'Fail', 'Retry'].includes(event)
    ? `${phaseName(from.phase)}${event}`
    : event;

/** Moves the batch along one row of the table; a move that the table lacks is a fault of ours, not of the user. */
export function transition(
  turn: Turn,
  event: BatchEvent | PhaseEvent,
  to: BatchState,
  from: BatchState | null = turn.doc.state,
): void {
  const { doc, at, meta } = turn;
  if (!permits(event, from, to)) {
    throw new Error(`no transition ${event} from ${from ? stateName(from) : 'nothing'} to ${stateName(to)}`);
  }
  const reason = meta.reason ?? doc.reason?.message;
  const name = eventName(event, from);
  doc.state = to;
  doc.stateSince = at;
  doc.history.push({
    version: doc.version,
    at,
    event: name,
    from: from ? stateName(from) : null,
    to: stateName(to),
    ...(meta.operatorId !== undefined && { operatorId: meta.operatorId }),
    ...(meta.requestId !== undefined && { requestId: meta.requestId }),
    ...(reason !== undefined && { reason }),
  });
  if (doc.history.length > HISTORY_LIMIT) {
    doc.history.splice(HISTORY_HEAD, doc.history.length - HISTORY_LIMIT);
  }
  emit(turn, 'state-changed', {
    version: doc.version,
    event: name,
    from,
    to,
    state: stateName(to),
    ...(reason !== undefined && { reason }),
  });
}

export function setReason(turn: Turn, reason: Reason | undefined): void {
  if (reason) turn.doc.reason = reason;
  else delete turn.doc.reason;
}

/** The batch's own absolute totals, once a turn, with its version. */
export function emitProgress(turn: Turn): void {
  const { doc } = turn;
  const work = doc.work;
  const open = work ? [...work.out, ...work.yielded].sort((a, b) => a - b) : [];
  emit(turn, 'progress', {
    version: doc.version,
    state: stateName(doc.state),
    phase: work && !isFinal(doc.state) ? work.step : doc.state.phase,
    total: doc.size?.total ?? null,
    done: Object.fromEntries(Object.entries(doc.totals).map(([step, totals]) => [step, totals.counts])),
    tasks: { count: work?.count ?? 0, done: work ? work.next - open.length : 0, out: open },
    segments: doc.totals.delivery?.segments ?? 0,
    ...(doc.totals.delivery?.resent && { resent: doc.totals.delivery.resent }),
  });
}
