import { isBuiltInStep, isFinal } from '../../../contracts/states.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';

/** A failed phase that nobody retries makes the batch Failed after this long. */
export const FAILED_PHASE_DEADLINE_MS = 7 * 24 * 3_600_000;

/** Held tasks of a foreign program that never answers are given up after this long; built-in ones settle by themselves. */
export const YIELD_DEADLINE_MS = 30_000;

/** The last count is tried again after this long without an answer. */
export const RECOUNT_EVERY_MS = 60_000;

/** When the phase that runs counts as stuck, or undefined where nothing runs. */
export function progressDeadline(doc: BatchDocument): number | undefined {
  if (doc.finish) return doc.progressAt + RECOUNT_EVERY_MS;
  if (doc.state.phase === null || doc.state.status !== 'Running') return undefined;
  return doc.progressAt + (doc.steps[doc.stepIndex]?.timeoutMs ?? 0);
}

/** When a Scheduled batch starts: what its timer is armed for. Undefined: it waits for nothing. */
export function dueTimeOf(
  doc: Pick<BatchDocument, 'state' | 'definition' | 'deletedAt'> | undefined,
): number | undefined {
  if (doc?.state.status !== 'Scheduled' || doc.deletedAt !== undefined) return undefined;
  const { scheduleTime } = doc.definition;
  return scheduleTime === undefined ? undefined : Date.parse(scheduleTime);
}

/** The next moment at which the actor must look again, ms since 1970; undefined = only when it is asked. */
export function wakeAt(doc: BatchDocument): number | undefined {
  if (isFinal(doc.state) || doc.deletedAt !== undefined) return undefined;
  const moments = [progressDeadline(doc), dueTimeOf(doc)];
  const { notAfter } = doc.definition;
  // A clock that has rung and leads nowhere would ring at every sweep.
  if (
    notAfter !== undefined &&
    !doc.finish &&
    doc.stopping?.to !== 'Aborted' &&
    doc.stopping?.to !== 'Expired'
  )
    moments.push(Date.parse(notAfter));
  if (doc.stopping && !isBuiltInStep(doc.work?.step ?? '')) moments.push(doc.stopping.at + YIELD_DEADLINE_MS);
  if (doc.state.phase !== null && doc.state.status === 'Failed')
    moments.push(doc.stateSince + FAILED_PHASE_DEADLINE_MS);
  const known = moments.filter((moment) => moment !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}
