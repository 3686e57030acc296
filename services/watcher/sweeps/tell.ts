import type { EventBody, Swept } from '../../../contracts/events.ts';
import { commandSubject, eventSubject, STREAMS } from '../../../contracts/subjects.ts';
import type { Publisher } from '../../../lib/nats/publish.ts';
import type { WithTasksOut } from '../../../lib/tasks/tasks-out.ts';

/** A batch in which a sweep has found something. */
export interface SweptBatch {
  batch: WithTasksOut & { version: number };
  found: { what: Swept; task?: number }[];
  /** Newest progress of its tasks, ms since 1970, where that was looked up. */
  progressAt?: number;
}

/** Watchers that sweep at the same time send one reconcile between them. */
const SLOT_MS = 5_000;

/** Asks the actor to look again, and says why. Decides nothing. */
export async function tell(publisher: Publisher, swept: SweptBatch, nowMs: number): Promise<void> {
  const { batch, found, progressAt } = swept;
  const { _id: batchId, incarnation, version, work } = batch;
  const slot = `${batchId}:${incarnation}:${version}:${Math.floor(nowMs / SLOT_MS)}`;
  const kinds = [...new Set(found.map(({ what }) => what))].sort().join('+');
  const event: EventBody<'swept'> = {
    batchId,
    incarnation,
    at: new Date(nowMs).toISOString(),
    version,
    found,
    ...(work && { step: work.step }),
  };
  await publisher.publish({
    subject: eventSubject(batchId, 'swept'),
    stream: STREAMS.events,
    msgId: `swept:${slot}:${kinds}`,
    body: event,
  });
  await publisher.publish({
    subject: commandSubject(batchId, 'reconcile'),
    stream: STREAMS.commands,
    msgId: `reconcile:${slot}`,
    body: progressAt === undefined ? {} : { progressAt },
  });
}
