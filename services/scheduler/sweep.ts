import { eventSubject, STREAMS, scheduleTimer } from '../../contracts/subjects.ts';
import { isArmed } from '../../lib/timers/timer.ts';
import { endedRuns } from './ended-runs.ts';
import { iso } from './pure/draft.ts';
import { endOne } from './run-ends.ts';
import type { ScheduleDocument } from './schedule-document.ts';
import { keepArmed, type SchedulerDeps } from './transact.ts';

/** Schedules that one sweep looks at. */
const A_SWEEP = 1_000;
/** Processes that sweep at the same time tell of one find between them. */
const SLOT_MS = 10_000;

/**
 * Finds schedules whose timer is gone, one page a sweep; all at once when the stream is another one than before. Also ends runs
 * whose end nobody has told. Holds one ID in memory.
 */
export function scheduleSweep(deps: SchedulerDeps): () => Promise<void> {
  let cursor = '';
  let streamCreated: string | undefined;

  return async () => {
    const { created } = await deps.nats.jsm.streams.info(STREAMS.schedules);
    const lost = streamCreated !== undefined && streamCreated !== String(created);
    streamCreated = String(created);
    if (lost) cursor = '';
    do {
      const page = await pageAfter(deps, cursor);
      cursor = page.at(-1)?._id ?? '';
      await rearm(deps, page, lost ? 'the stream of timers was lost' : 'there is no timer');
      await endForgotten(deps, page);
    } while (lost && cursor !== '');
  };
}

/** What a sweep has to know of a schedule: not its template. */
type Swept = Pick<ScheduleDocument, '_id' | 'state' | 'next' | 'revision' | 'active'>;

const pageAfter = ({ schedules }: SchedulerDeps, id: string): Promise<Swept[]> =>
  schedules
    .find<Swept>({ _id: { $gt: id } }, { projection: { state: 1, next: 1, revision: 1, active: 1 } })
    .sort({ _id: 1 })
    .limit(A_SWEEP)
    .batchSize(A_SWEEP)
    .toArray();

async function rearm(deps: SchedulerDeps, docs: readonly Swept[], found: string): Promise<void> {
  for (const doc of docs) {
    if (doc.state !== 'active' || !doc.next) continue;
    if (await isArmed(deps.nats.jsm, scheduleTimer(doc._id))) continue;
    // It may have been decided, and the next one armed, since the page was read.
    const fresh = await deps.schedules.findOne({ _id: doc._id, revision: doc.revision });
    if (!fresh || (await isArmed(deps.nats.jsm, scheduleTimer(doc._id)))) continue;
    deps.log.warn({ scheduleId: doc._id, dueAt: iso(doc.next.dueAt), found }, 'a schedule is armed again');
    deps.metrics.rearmed.inc();
    await keepArmed(deps, doc._id);
    await deps.publisher.publish({
      subject: eventSubject(doc._id, 'schedule-rearmed'),
      stream: STREAMS.events,
      msgId: `rearmed:${doc._id}:${doc.revision}:${Math.floor(deps.now() / SLOT_MS)}`,
      body: { scheduleId: doc._id, at: iso(deps.now()), dueAt: iso(doc.next.dueAt), found },
    });
  }
}

async function endForgotten(deps: SchedulerDeps, docs: readonly Swept[]): Promise<void> {
  for (const [id, ends] of await endedRuns(deps.store, docs, deps.now())) {
    for (const end of ends) await endOne(deps, id, end);
  }
}
