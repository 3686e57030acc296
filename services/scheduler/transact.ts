import type { Collection } from 'mongodb';
import type { Logger } from 'pino';
import { scheduleTimer } from '../../contracts/subjects.ts';
import { backoffMs } from '../../lib/lifecycle/backoff.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import type { Publisher } from '../../lib/nats/publish.ts';
import type { Store } from '../../lib/store/collections.ts';
import { arm, bringInStep, type Timer } from '../../lib/timers/timer.ts';
import { countRuns, type SchedulerMetrics } from './metrics.ts';
import { NotTakenError, publishMessages } from './publish-messages.ts';
import { beginDraft, decidedBefore, emit, finishDraft, iso } from './pure/draft.ts';
import type { ScheduleDocument } from './schedule-document.ts';
import { writeSchedule } from './schedule-store.ts';

/** What every part of the scheduler works with. */
export interface SchedulerDeps {
  nats: Nats;
  store: Store;
  schedules: Collection<ScheduleDocument>;
  publisher: Publisher;
  metrics: SchedulerMetrics;
  log: Logger;
  /** ms since 1970; injected by tests. */
  now: () => number;
}

/** A decision: a new state and the causes whose messages go out, or what was decided before for these causes. */
export type Step = { doc: ScheduleDocument; causes: string[] } | { again: string[] } | undefined;

const TRIES = 20;

/** Reads, decides, writes by revision, until nobody else wrote in between; then carries out what was decided. */
export async function transact(
  deps: SchedulerDeps,
  id: string,
  decide: (doc: ScheduleDocument | undefined) => Promise<Step> | Step,
): Promise<ScheduleDocument | undefined> {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const before = (await deps.schedules.findOne({ _id: id })) ?? undefined;
    const step = await decide(before);
    if (!step) return before;
    if ('again' in step) {
      if (before) await carryOut(deps, before, step.again);
      return before;
    }
    const { doc, causes } = step;
    if (await writeSchedule(deps.schedules, { before, doc })) {
      countRuns(deps.metrics, before, doc);
      if (before === undefined) await carryOutFirst(deps, doc, causes);
      else await carryOut(deps, doc, causes);
      return doc;
    }
    await sleep(backoffMs(attempt, { firstMs: 5, capMs: 100 }));
  }
  throw new Error(`schedule ${id} is changed by others all the time`);
}

/** Publishes, then brings the timer in step: a crash in between is repaired by whoever meets the cause again. */
async function carryOut(
  deps: SchedulerDeps,
  doc: ScheduleDocument,
  causes: readonly string[],
): Promise<void> {
  for (const cause of causes) await publishCause(deps, doc, cause);
  await keepArmed(deps, doc._id);
}

/** Nothing can stand on the subject of a new schedule: one write and one publish. */
async function carryOutFirst(deps: SchedulerDeps, doc: ScheduleDocument, causes: string[]): Promise<void> {
  for (const cause of causes) await publishCause(deps, doc, cause);
  const timer = timerOf(doc);
  if (timer && (await arm(deps.publisher, scheduleTimer(doc._id), timer))) return;
  if (timer) await keepArmed(deps, doc._id);
}

/** The timer as the stored document wants it. */
export const keepArmed = (deps: SchedulerDeps, id: string): Promise<void> =>
  bringInStep({ jsm: deps.nats.jsm, publisher: deps.publisher }, scheduleTimer(id), async () => {
    const doc = await deps.schedules.findOne({ _id: id }, { projection: { state: 1, next: 1, version: 1 } });
    return doc ? timerOf(doc) : undefined;
  });

export function timerOf({
  state,
  next,
  version,
}: Pick<ScheduleDocument, 'state' | 'next' | 'version'>): Timer | undefined {
  if (state !== 'active' || !next) return undefined;
  return { atMs: next.fireAt, body: { version, dueAt: next.dueAt } };
}

/** What was decided for a cause goes out; where nobody takes it, the run is dropped, and says so. */
export async function publishCause(deps: SchedulerDeps, doc: ScheduleDocument, cause: string): Promise<void> {
  try {
    await publishMessages(deps, decidedBefore(doc, cause)?.messages ?? []);
  } catch (error) {
    if (!(error instanceof NotTakenError)) throw error;
    deps.log.warn({ scheduleId: doc._id, cause, reason: error.message }, 'a run is dropped');
    await dropLast(deps, doc._id, cause, error.message);
  }
}

async function dropLast(deps: SchedulerDeps, id: string, of: string, reason: string): Promise<void> {
  const cause = `drop:${of}`;
  await transact(deps, id, (doc) => {
    const run = doc?.runs.findLast(({ outcome }) => outcome === 'published' || outcome === 'started');
    if (!doc || !run) return undefined;
    if (decidedBefore(doc, cause)) return { again: [cause] };
    const draft = beginDraft(doc, cause, deps.now());
    draft.doc.runs = draft.doc.runs.map((each) =>
      each.dueAt === run.dueAt && each.runId === run.runId ? { ...each, outcome: 'dropped', reason } : each,
    );
    draft.doc.active = draft.doc.active.filter(({ runId }) => runId !== run.runId);
    emit(draft, 'run-dropped', { dueAt: iso(run.dueAt), reason });
    return { doc: finishDraft(draft), causes: [cause] };
  });
}
