import type { JsMsg } from '@nats-io/jetstream';
import { check } from '../../contracts/check.ts';
import { EVENTS, type EventBody } from '../../contracts/events.ts';
import { parseEventSubject } from '../../contracts/subjects.ts';
import type { Outcome } from '../../lib/nats/outcome.ts';
import { outcomeOf } from './ended-runs.ts';
import { beginDraft, decidedBefore, finishDraft } from './pure/draft.ts';
import { type EndedRun, endCause, endRuns } from './pure/end-run.ts';
import { scheduleOfOperator, scheduleOfRun } from './pure/start-run.ts';
import type { ActiveRun, ScheduleDocument } from './schedule-document.ts';
import { type SchedulerDeps, type Step, transact } from './transact.ts';

/** What an event tells about the batch of a run. */
interface BatchEnd {
  batchId: string;
  outcome: EndedRun['outcome'];
  reason?: string;
  /** Of a refused command: only the run that sent it has failed. */
  requestId?: string;
}

/** Ends the runs whose batches have ended, were deleted, or refused to begin: told by SMS_EVENTS. */
export async function endRunsOf(deps: SchedulerDeps, messages: readonly JsMsg[]): Promise<Outcome> {
  const ends = messages.flatMap((message) => endIn(message) ?? []);
  if (ends.length === 0) return 'ack';
  const docs = await deps.schedules
    .find(
      { _id: { $in: await schedulesBehind(deps, ends) } },
      { projection: { active: 1 }, batchSize: 1_000 },
    )
    .toArray();
  for (const { _id, active } of docs) {
    for (const end of ends) {
      for (const run of active.filter(({ batchId }) => batchId === end.batchId)) {
        if (await isMeant(deps, run, end)) await endOne(deps, _id, { ...end, runId: run.runId });
      }
    }
  }
  return 'ack';
}

/** The schedules that have started these batches: by the run's ID, and by what the batches themselves remember. */
async function schedulesBehind({ store }: SchedulerDeps, ends: readonly BatchEnd[]): Promise<string[]> {
  const batches = await store.batches
    .find(
      { _id: { $in: [...new Set(ends.map(({ batchId }) => batchId))] } },
      { projection: { origin: 1, 'history.operatorId': 1 }, batchSize: 1_000 },
    )
    .toArray();
  const remembered = batches.flatMap(({ origin, history }) => [
    ...(origin?.kind === 'schedule' ? [origin.id] : []),
    ...history.flatMap(({ operatorId }) => scheduleOfOperator(operatorId) ?? []),
  ]);
  const byRun = ends.flatMap(({ requestId }) => scheduleOfRun(requestId) ?? []);
  return [...new Set([...remembered, ...byRun])];
}

function endIn(message: JsMsg): BatchEnd | undefined {
  const subject = parseEventSubject(message.subject);
  if (!subject) return undefined;
  const { batchId, event } = subject;
  if (event === 'deleted') return { batchId, outcome: 'aborted', reason: 'its batch was deleted' };
  if (event !== 'ended' && event !== 'command-rejected') return undefined;
  let body: unknown;
  try {
    body = message.json();
  } catch {
    // The statistics bury what nobody can read.
    return undefined;
  }
  if (!check(EVENTS[event], body).ok) return undefined;
  if (event === 'ended') {
    const { state } = body as EventBody<'ended'>;
    const outcome = outcomeOf(state);
    return { batchId, outcome, ...(outcome !== 'succeeded' && { reason: `its batch is ${state}` }) };
  }
  const { verb, error, requestId } = body as EventBody<'command-rejected'>;
  if (requestId === undefined || (verb !== 'create' && verb !== 'start')) return undefined;
  return { batchId, outcome: 'failed', reason: `${verb}: ${error.message}`, requestId };
}

/** A start that was published twice is refused the second time: the history tells that the first was obeyed. */
async function isMeant({ store }: SchedulerDeps, run: ActiveRun, { requestId }: BatchEnd): Promise<boolean> {
  if (requestId === undefined) return true;
  if (requestId !== run.runId) return false;
  const obeyed = await store.batches.findOne(
    { _id: run.batchId!, 'history.requestId': requestId },
    { projection: { _id: 1 } },
  );
  return obeyed === null;
}

/** One run has come to an end; the one that waits for it begins. */
export async function endOne(deps: SchedulerDeps, scheduleId: string, end: EndedRun): Promise<void> {
  await transact(deps, scheduleId, (doc) => doc && endStep(doc, end, deps.now()));
}

export function endStep(doc: ScheduleDocument, end: EndedRun, nowMs: number): Step {
  const cause = endCause(end.runId);
  if (decidedBefore(doc, cause)) return { again: [cause] };
  if (!doc.active.some(({ runId }) => runId === end.runId)) return undefined;
  const draft = beginDraft(doc, cause, nowMs);
  endRuns(draft, [end]);
  return { doc: finishDraft(draft), causes: [cause] };
}
