import { addCounts, noOutcomes, noReceipts } from '../../../contracts/outcomes.ts';
import type { StepDone, StepFailed, StepYielded } from '../../../contracts/steps.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import { endFinished, goOn } from './phases.ts';
import { settle, stop } from './stopping.ts';
import { setReason, type Turn } from './turn.ts';

type Answer = StepDone | StepFailed | StepYielded;

/** Why an answer does not count, or undefined: it must come from this life, this epoch, and a task that is out. */
export function staleness(doc: BatchDocument, answer: Answer): string | undefined {
  if (answer.incarnation !== doc.incarnation) return 'another incarnation';
  if (answer.epoch !== doc.epoch) return `epoch ${answer.epoch}, now ${doc.epoch}`;
  if (doc.work?.step !== answer.step) return `step ${answer.step}, now ${doc.work?.step ?? 'none'}`;
  if (!doc.work.out.includes(answer.task)) return `task ${answer.task} is not out`;
  return undefined;
}

function takeBack(turn: Turn, task: number): void {
  const work = turn.doc.work!;
  work.out = work.out.filter((n) => n !== task);
  turn.doc.progressAt = turn.at;
}

export function stepDone(turn: Turn, answer: StepDone): void {
  const { doc } = turn;
  takeBack(turn, answer.task);
  record(turn, answer);
  if (doc.finish) {
    endFinished(turn);
    return;
  }
  if (doc.stopping) settle(turn);
  else goOn(turn);
}

function record(turn: Turn, { step, result }: StepDone): void {
  const { doc } = turn;
  if (!result) return;
  if (result.total !== undefined && result.chunks !== undefined && result.tasks !== undefined) {
    doc.size = { total: result.total, chunks: result.chunks, tasks: result.tasks };
  }
  if (!result.counts) return;
  if (step === 'statistics') {
    doc.counted = { counts: result.counts, receipts: result.receipts ?? noReceipts(), at: turn.at };
    return;
  }
  const before = doc.totals[step] ?? { counts: noOutcomes(), segments: 0 };
  doc.totals[step] = {
    counts: addCounts(before.counts, result.counts),
    segments: before.segments + (result.segments ?? 0),
    ...added('segmentHistogram', before.segmentHistogram, result.segmentHistogram),
    ...added('encodings', before.encodings, result.encodings),
    ...((before.resent ?? result.resent) !== undefined && {
      resent: (before.resent ?? 0) + (result.resent ?? 0),
    }),
  };
}

function added<K extends string>(
  name: K,
  left: Record<string, number> | undefined,
  right: Record<string, number> | undefined,
): { [P in K]?: Record<string, number> } {
  if (!left && !right) return {};
  const sum: Record<string, number> = { ...left };
  for (const [key, value] of Object.entries(right ?? {})) sum[key] = (sum[key] ?? 0) + value;
  return { [name]: sum } as { [P in K]?: Record<string, number> };
}

export function stepYielded(turn: Turn, answer: StepYielded): void {
  const { doc } = turn;
  takeBack(turn, answer.task);
  doc.work!.yielded.push(answer.task);
  if (doc.restored && answer.step === 'delivery') doc.restored.unknown += answer.result?.counts?.unknown ?? 0;
  if (doc.stopping) {
    // It would go on by itself, into what everyone would meet.
    if (answer.stop && doc.stopping.to === 'Paused' && doc.stopping.resumeAfter) {
      doc.stopping = { to: 'Paused', at: doc.stopping.at, reason: answer.stop };
      setReason(turn, answer.stop);
    }
    settle(turn);
    return;
  }
  if (doc.finish) return;
  const notAfter = doc.definition.notAfter;
  if (answer.stop) stop(turn, 'Paused', answer.stop);
  else if (notAfter !== undefined && turn.at >= Date.parse(notAfter)) stop(turn, 'Expired', passed(notAfter));
  // It stopped by itself without a word: what is out is led to a stand, then goes on in a new epoch.
  else stop(turn, 'Paused', undefined, true);
}

export const passed = (notAfter: string) => ({
  code: 'not-after',
  message: `notAfter ${notAfter} has passed.`,
});

export function stepFailed(turn: Turn, answer: StepFailed): void {
  const { doc } = turn;
  takeBack(turn, answer.task);
  doc.work!.yielded.push(answer.task);
  // The last count has no state to fail into: it is tried again when the actor wakes up.
  if (doc.finish) return;
  const { code, message, errors } = answer;
  stop(turn, 'Failed', { code, message, ...(errors && { errors }) });
}
