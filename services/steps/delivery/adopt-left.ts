import { addCounts } from '../../../contracts/outcomes.ts';
import { leaveUnknown, resolveInDoubt } from '../../../lib/journal/resolve-in-doubt.ts';
import type { TakenOver } from '../../../lib/journal/take-over.ts';
import type { MessageChunk } from '../../../lib/store/chunk-documents.ts';
import type { TaskDocument } from '../../../lib/store/task-document.ts';
import { DeliveryChunk } from './delivery-chunk.ts';
import type { SettlementRules, Sums } from './settlement.ts';

export interface Adopted {
  chunks: DeliveryChunk[];
  /** Of the whole task, what was in doubt decided. */
  sums: Sums;
}

/** Decides what a last holder left in doubt, and goes on with its chunks. `messages`: those of `left`, in order. */
export function adoptLeft(options: {
  taken: TakenOver;
  messages: readonly MessageChunk[];
  task: Pick<TaskDocument, 'progressAt' | 'restoredFrom'>;
  rules: Pick<SettlementRules, 'onInDoubt' | 'resendAfterMs'>;
  nowMs: number;
}): Adopted {
  const { taken, messages, task, rules, nowMs } = options;
  const sums: Sums = {
    counts: taken.counts,
    segments: taken.segments,
    resent: taken.resent,
    progressAt: task.progressAt,
  };
  const chunks = taken.left.map(({ document, outcomes, inDoubt }, i) => {
    const chunk = new DeliveryChunk(messages[i]!, document, outcomes);
    if (task.restoredFrom !== undefined) leaveUnknown(outcomes, inDoubt, nowMs);
    else
      chunk.resent += resolveInDoubt(outcomes, inDoubt, rules.onInDoubt, nowMs, rules.resendAfterMs).resent;
    if (inDoubt.length > 0) {
      // They may have been sent: receipts are to find them.
      chunk.sentFromMs ||= task.restoredFrom ?? task.progressAt;
      chunk.sentToMs = nowMs;
    }
    if (outcomes.hasFacts) chunk.unstoredSince = performance.now();
    sums.counts = addCounts(sums.counts, outcomes.counts);
    sums.segments += chunk.segments;
    sums.resent += chunk.resent;
    return chunk;
  });
  return { chunks, sums };
}
