import { apiSubject, commandSubject, STREAMS } from '../../../contracts/subjects.ts';
import { type Draft, emit, iso } from './draft.ts';
import { keepHistory } from './history-limits.ts';
import { operatorOf, startRun } from './start-run.ts';

export interface EndedRun {
  runId: string;
  outcome: 'succeeded' | 'failed' | 'aborted';
  reason?: string | undefined;
  result?: unknown;
}

/** Ends those of the runs that go on: their records, the count of failures, the history, the one that waits. */
export function endRuns(draft: Draft, ended: readonly EndedRun[]): void {
  for (const each of ended) endRun(draft, each);
}

function endRun(draft: Draft, ended: EndedRun): void {
  const { doc, nowMs } = draft;
  const active = doc.active.find(({ runId }) => runId === ended.runId);
  if (!active) return;
  doc.active = doc.active.filter((each) => each !== active);
  doc.runs = doc.runs.map((run) =>
    run.runId !== ended.runId
      ? run
      : {
          ...run,
          outcome: ended.outcome,
          endedAt: nowMs,
          ...(ended.reason !== undefined && { reason: ended.reason }),
          ...(ended.result !== undefined && { result: ended.result }),
        },
  );
  if (ended.outcome === 'failed') {
    emit(draft, 'run-failed', {
      dueAt: iso(active.dueAt),
      ...(active.batchId !== undefined && { batchId: active.batchId }),
      ...(ended.reason !== undefined && { reason: ended.reason }),
    });
    doc.failuresInARow += 1;
  } else if (ended.outcome === 'succeeded') doc.failuresInARow = 0;
  removeOldest(draft, active.batchId, ended.outcome);
  pauseAfterFailures(draft);
  startBuffered(draft);
}

function removeOldest(draft: Draft, batchId: string | undefined, outcome: EndedRun['outcome']): void {
  const { doc } = draft;
  const { target } = doc.definition;
  if (batchId === undefined || outcome === 'aborted' || target.kind !== 'batch.template') return;
  const { kept, remove } = keepHistory(doc.kept, batchId, outcome, target);
  doc.kept = kept;
  for (const old of remove) {
    draft.messages.push({
      subject: commandSubject(old, 'delete'),
      stream: STREAMS.commands,
      body: { operatorId: operatorOf(doc._id), reason: 'beyond the history limit of its schedule' },
      msgId: `history:${doc._id}:${old}`,
    });
    // The run's own table; one that stays behind costs space, nothing else.
    if (target.template.upload === undefined) continue;
    draft.messages.push({
      subject: apiSubject('table', 'delete'),
      stream: null,
      body: { table: old },
      msgId: `history:${doc._id}:${old}:table`,
    });
  }
}

function pauseAfterFailures(draft: Draft): void {
  const { doc, nowMs } = draft;
  const limit = doc.definition.pauseAfterFailures;
  if (limit === undefined || doc.failuresInARow < limit || doc.state !== 'active') return;
  const note = `paused by itself: ${doc.failuresInARow} failed runs in a row`;
  doc.state = 'paused';
  doc.version += 1;
  doc.paused = { at: nowMs, note, by: operatorOf(doc._id) };
  delete doc.next;
  delete doc.buffered;
  emit(draft, 'schedule-paused', { version: doc.version, reason: note });
}

function startBuffered(draft: Draft): void {
  const { doc } = draft;
  const dueAt = doc.buffered;
  if (dueAt === undefined || doc.active.length > 0) return;
  delete doc.buffered;
  doc.runs = doc.runs.filter((run) => !(run.dueAt === dueAt && run.outcome === 'buffered'));
  startRun(draft, { dueAt });
}

export const endCause = (runId: string): string => `end:${runId}`;
