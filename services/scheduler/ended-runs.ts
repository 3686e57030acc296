import { FINAL_STATUSES } from '../../contracts/states.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import type { Store } from '../../lib/store/collections.ts';
import type { EndedRun } from './pure/end-run.ts';
import type { ActiveRun, ScheduleDocument } from './schedule-document.ts';

type BatchFacts = Pick<BatchDocument, '_id' | 'state' | 'deletedAt' | 'endedAt'>;

/** A batch that is to be created has its document within this time, or never. */
const CREATED_WITHIN_MS = 60_000;

const OUTCOMES = { Succeeded: 'succeeded', Failed: 'failed', Aborted: 'aborted' } as const;

export const outcomeOf = (status: string): EndedRun['outcome'] =>
  OUTCOMES[status as keyof typeof OUTCOMES] ?? 'aborted';

/**
 * Which of the runs that go on have come to an end, by the system of record: an event may have been lost. By schedule.
 */
export async function endedRuns(
  { batches }: Pick<Store, 'batches'>,
  docs: readonly Pick<ScheduleDocument, '_id' | 'active'>[],
  nowMs: number,
): Promise<Map<string, EndedRun[]>> {
  const active = docs.filter((doc) => doc.active.length > 0);
  if (active.length === 0) return new Map();
  const ids = active.flatMap((doc) => doc.active.flatMap(({ batchId }) => batchId ?? []));
  const found = await batches
    .find({ _id: { $in: ids } }, { projection: { state: 1, deletedAt: 1, endedAt: 1 }, batchSize: 1_000 })
    .toArray();
  const byId = new Map<string, BatchFacts>(found.map((batch) => [batch._id, batch]));
  return new Map(
    active.map((doc) => [
      doc._id,
      doc.active.flatMap((run) => {
        const batch = run.batchId === undefined ? undefined : byId.get(run.batchId);
        return endOf(run, batch, nowMs) ?? [];
      }),
    ]),
  );
}

/** Pure. @returns undefined while it goes on */
export function endOf(
  { runId, since, batchId, deadlineAt }: ActiveRun,
  batch: BatchFacts | undefined,
  nowMs: number,
): EndedRun | undefined {
  if (batch) {
    if (batch.deletedAt !== undefined) return { runId, outcome: 'aborted', reason: 'its batch was deleted' };
    const { phase, status } = batch.state;
    if (phase !== null || !(FINAL_STATUSES as readonly string[]).includes(status)) return undefined;
    // Two clocks are compared, hence the tolerance: only an end long before the run was not its own.
    if (batch.endedAt !== undefined && batch.endedAt < since - CREATED_WITHIN_MS) {
      return { runId, outcome: 'failed', reason: 'its batch had ended before' };
    }
    const outcome = outcomeOf(status);
    return { runId, outcome, ...(outcome !== 'succeeded' && { reason: `its batch is ${status}` }) };
  }
  if (deadlineAt !== undefined) {
    return nowMs > deadlineAt ? { runId, outcome: 'failed', reason: 'no outcome in time' } : undefined;
  }
  if (batchId === undefined || nowMs - since < CREATED_WITHIN_MS) return undefined;
  return { runId, outcome: 'failed', reason: 'its batch does not exist' };
}
