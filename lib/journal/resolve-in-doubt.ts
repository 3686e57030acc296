import { OUTCOME_LETTERS } from '../../contracts/outcomes.ts';
import type { ReceiptDocument } from '../store/chunk-documents.ts';
import { joinLateAnswers, type LateAnswerEntry } from '../store/merge-outcomes.ts';
import type { OpenChunk } from '../store/outcome-columns.ts';
import { NO_RECEIPT } from '../store/receipt-lattice.ts';

/** Code of a recipient whose answer was lost with its holder or its connection. */
export const IN_DOUBT_CODE = 'NO_ANSWER';

/** Code of a recipient who may have been sent to after the copy to which MongoDB was set back. */
export const RESTORED_CODE = 'RESTORED';

/** A receipt or a late answer may come within this long; only then is it sent again. */
export const RESEND_AFTER_MS = 10_000;

/** How often an unanswered message is sent again before it is left `unknown`. */
export const MAX_RESENDS = 3;

export interface Resolution {
  /** Positions that will be sent again. */
  resent: number;
}

/** By the batch's `onInDoubt`: `hold` = unknown, never sent again unasked; `resend` = sent again after a while. */
export function resolveInDoubt(
  outcomes: OpenChunk,
  positions: readonly number[],
  onInDoubt: 'hold' | 'resend',
  nowMs: number,
  resendAfterMs: number = RESEND_AFTER_MS,
): Resolution {
  let resent = 0;
  for (const position of positions) {
    const known = outcomes.waitingAt(position);
    const attempts = (known?.attempts ?? 0) + 1;
    if (onInDoubt === 'hold' || attempts > MAX_RESENDS) {
      // Ids of the parts that were accepted: their receipts tell of the whole.
      outcomes.set(position, OUTCOME_LETTERS.unknown, IN_DOUBT_CODE, outcomes.idsAt(position), nowMs);
      continue;
    }
    const entry = {
      position,
      attempts,
      notBefore: nowMs + resendAfterMs,
      partsAccepted: known?.partsAccepted ?? 0,
      ...(known?.parts === undefined ? {} : { parts: known.parts }),
      reference: known?.reference ?? 0,
    };
    outcomes.wait(entry, IN_DOUBT_CODE, outcomes.idsAt(position));
    resent += 1;
  }
  return { resent };
}

/** After a restore nobody is sent to again, whatever the batch says of other doubts. */
export function leaveUnknown(outcomes: OpenChunk, positions: readonly number[], nowMs: number): void {
  for (const position of positions) {
    outcomes.set(position, OUTCOME_LETTERS.unknown, RESTORED_CODE, '', nowMs);
  }
}

/** What a receipt document says of a message in doubt; undefined: nothing, it may be sent again. */
export function resolvedBy(
  receipt: Pick<ReceiptDocument, 'states' | 'lateAnswers'> | null | undefined,
  position: number,
): LateAnswerEntry | undefined {
  if (!receipt) return undefined;
  const answers = receipt.lateAnswers.filter((each) => each.position === position);
  if (answers.length > 0) return answers.reduce(joinLateAnswers);
  const state = receipt.states[position];
  if (state === undefined || state === NO_RECEIPT) return undefined;
  return { position, outcome: 'accepted', messageId: '', atMs: 0 };
}
