import {
  noReceipts,
  OUTCOME_LETTERS,
  OUTCOME_OF_LETTER,
  type Outcome,
  type OutcomeCounts,
  type OutcomeLetter,
  type ReceiptCounts,
  type ResolvedCounts,
} from '../../contracts/outcomes.ts';
import type { ReceiptLetter, ReceiptState } from '../../contracts/receipts.ts';
import type { OutcomeDocument, ReceiptDocument, WaitingMessage } from './chunk-documents.ts';
import { splitColumn } from './columns.ts';
import { decodeTimes } from './outcome-columns.ts';
import { NO_RECEIPT, RECEIPT_OF_LETTER } from './receipt-lattice.ts';

export type LateAnswerEntry = ReceiptDocument['lateAnswers'][number];

/** Which counter a receipt state moves; the others leave an accepted message merely accepted. */
const COUNTED_AS: Readonly<Partial<Record<string, keyof ReceiptCounts>>> = {
  d: 'delivered',
  u: 'undelivered',
  r: 'undelivered',
  x: 'undelivered',
  e: 'expiredAtCarrier',
};

/** Accepted beats rejected; then the earlier; then the smaller id: the same whatever the order and doubling. */
export function joinLateAnswers(left: LateAnswerEntry, right: LateAnswerEntry): LateAnswerEntry {
  if (left.outcome !== right.outcome) return left.outcome === 'accepted' ? left : right;
  if (left.atMs !== right.atMs) return left.atMs < right.atMs ? left : right;
  return left.messageId <= right.messageId ? left : right;
}

/** What became of one recipient, all documents merged. */
export interface RecipientOutcome {
  outcome: Outcome;
  /** Status or reason code; empty = none. */
  code: string;
  /** As the carrier gave them, one a part. */
  messageIds: string[];
  /** When the answer came, ms since 1970. */
  atMs?: number;
  receipt?: { state: ReceiptState; error: string; atMs?: number };
  /** Of a message that will be sent again. */
  waiting?: WaitingMessage;
  /** The outcome was `unknown` until a late answer or a receipt came. */
  resolvedBy?: 'late-answer' | 'receipt';
}

/** One chunk as a reader sees it. */
export interface MergedChunk {
  size: number;
  /** One OUTCOME_LETTERS letter a recipient, after the merge. */
  statuses: string;
  counts: OutcomeCounts;
  receipts: ReceiptCounts;
  /** Were `unknown` in the outcome document. */
  resolved: ResolvedCounts;
  recipientAt(position: number): RecipientOutcome;
}

type Outcomes = Pick<
  OutcomeDocument,
  'size' | 'statuses' | 'ids' | 'codes' | 'times' | 'timesFromMs' | 'waiting' | 'counts'
>;
type Receipts = Pick<ReceiptDocument, 'states' | 'errors' | 'times' | 'timesFromMs' | 'lateAnswers'>;

const UNKNOWN = OUTCOME_LETTERS.unknown.charCodeAt(0);
const ACCEPTED = OUTCOME_LETTERS.accepted.charCodeAt(0);
const REJECTED = OUTCOME_LETTERS.rejected.charCodeAt(0);
const NONE = NO_RECEIPT.charCodeAt(0);

/**
 * The lattice in which a status only moves forward: the owner's outcome stands, save that `unknown` becomes
 * `accepted` by a late answer or by any receipt (the carrier had it, then), or `rejected` by a late refusal.
 * Receipts of messages that are not (yet) accepted count nowhere: they wait.
 */
export function mergeOutcomes(outcome: Outcomes, receipt?: Receipts | null): MergedChunk {
  const late = new Map<number, LateAnswerEntry>();
  for (const answer of receipt?.lateAnswers ?? []) {
    const known = late.get(answer.position);
    late.set(answer.position, known ? joinLateAnswers(known, answer) : answer);
  }
  const counts = { ...outcome.counts };
  const receipts = noReceipts();
  const statuses = receipt ? forward(outcome, receipt, late, counts, receipts) : outcome.statuses;
  return {
    size: outcome.size,
    statuses,
    counts,
    receipts,
    // Nothing else leads to another outcome.
    resolved: {
      accepted: counts.accepted - outcome.counts.accepted,
      rejected: counts.rejected - outcome.counts.rejected,
    },
    recipientAt: recipientReader(outcome, receipt ?? undefined, late, statuses),
  };
}

function forward(
  outcome: Outcomes,
  receipt: Receipts,
  late: ReadonlyMap<number, LateAnswerEntry>,
  counts: OutcomeCounts,
  receipts: ReceiptCounts,
): string {
  const { states } = receipt;
  let moved: Buffer | undefined;
  for (let i = 0; i < outcome.size; i++) {
    let status = outcome.statuses.charCodeAt(i);
    const hasReceipt = i < states.length && states.charCodeAt(i) !== NONE;
    if (status === UNKNOWN) {
      const answer = late.get(i)?.outcome;
      if (hasReceipt || answer === 'accepted') status = ACCEPTED;
      else if (answer === 'rejected') status = REJECTED;
      if (status !== UNKNOWN) {
        moved ??= Buffer.from(outcome.statuses, 'latin1');
        moved[i] = status;
        counts.unknown -= 1;
        counts[status === ACCEPTED ? 'accepted' : 'rejected'] += 1;
      }
    }
    if (hasReceipt && status === ACCEPTED) {
      const counter = COUNTED_AS[states[i]!];
      if (counter) receipts[counter] += 1;
    }
  }
  return moved ? moved.toString('latin1') : outcome.statuses;
}

function recipientReader(
  outcome: Outcomes,
  receipt: Receipts | undefined,
  late: ReadonlyMap<number, LateAnswerEntry>,
  statuses: string,
): (position: number) => RecipientOutcome {
  // Split once, and only when somebody asks for a recipient: a count needs none of it.
  let columns: ReturnType<typeof splitAll> | undefined;
  return (position) => {
    if (!(position >= 0 && position < outcome.size)) {
      throw new RangeError(`position ${position} of a chunk of ${outcome.size}`);
    }
    columns ??= splitAll(outcome, receipt);
    const wasUnknown = outcome.statuses[position] === OUTCOME_LETTERS.unknown;
    const answer = wasUnknown ? late.get(position) : undefined;
    const letter = receipt?.states[position] ?? NO_RECEIPT;
    const ids = answer?.messageId || columns.ids[position]!;
    const found: RecipientOutcome = {
      outcome: OUTCOME_OF_LETTER[statuses[position] as OutcomeLetter],
      code: answer ? (answer.code ?? '') : columns.codes[position]!,
      messageIds: ids === '' ? [] : ids.split(' '),
    };
    const atMs = answer?.atMs ?? columns.times[position];
    if (atMs !== undefined) found.atMs = atMs;
    if (letter !== NO_RECEIPT) {
      const receiptAtMs = columns.receiptTimes[position];
      found.receipt = {
        state: RECEIPT_OF_LETTER[letter as ReceiptLetter],
        error: columns.errors[position]!,
        ...(receiptAtMs === undefined ? {} : { atMs: receiptAtMs }),
      };
    }
    const waiting = outcome.waiting.find((entry) => entry.position === position);
    if (waiting) found.waiting = waiting;
    if (wasUnknown && statuses[position] !== OUTCOME_LETTERS.unknown) {
      found.resolvedBy = answer && answer.outcome === found.outcome ? 'late-answer' : 'receipt';
    }
    return found;
  };
}

const splitAll = (outcome: Outcomes, receipt: Receipts | undefined) => ({
  ids: splitColumn(outcome.ids, outcome.size),
  codes: splitColumn(outcome.codes, outcome.size),
  times: decodeTimes(outcome.times, outcome.timesFromMs, outcome.size),
  errors: splitColumn(receipt?.errors ?? '', outcome.size),
  receiptTimes: decodeTimes(receipt?.times ?? '', receipt?.timesFromMs ?? 0, outcome.size),
});
