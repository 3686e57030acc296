import type { OutcomeCounts, ReceiptCounts } from '../../contracts/outcomes.ts';

/**
 * Up to 500 recipients, columns as newline-joined strings (lib/store/columns.ts). Written once, by `preparation`;
 * exactly the rows of its source chunk, those that will not be sent included.
 */
export interface MessageChunk {
  _id: string;
  batchId: string;
  index: number;
  size: number;
  /** MSISDNs, digits only; for an invalid number `!<code> <as it was written>`. */
  phones: string;
  /** Rendered, normalised, signed texts; a single one where all recipients get the same. */
  texts: string;
  sameText: boolean;
  /** One letter a recipient: g = GSM 03.38, u = UCS-2, - = not to be sent. */
  encodings: string;
  /** One base-36 digit a recipient: the number of segments; 0 = not to be sent. */
  segments: string;
}

/** The columns of a chunk's outcomes; also how a task document keeps outcomes not yet written (`facts`). */
export interface OutcomeColumns {
  /** One OUTCOME_LETTERS letter a recipient. */
  statuses: string;
  /** Newline-joined message ids as the carrier gave them; parts joined by a space. Empty string = none at all. */
  ids: string;
  /** Newline-joined codes, as `0x0000000B` or `EXCEEDS_MAX_PARTS`; empty string = none at all. */
  codes: string;
  /** Newline-joined ms of the answers since `timesFromMs`, base 36; empty string = none at all. */
  times: string;
  timesFromMs: number;
  /** Recipients to be sent (again) with what is known of their attempts, by position. */
  waiting: WaitingMessage[];
}

/** A message that was refused for now, or of which only some parts went out. */
export interface WaitingMessage {
  position: number;
  attempts: number;
  /** ms since 1970. */
  notBefore: number;
  /** Parts accepted so far; the rest goes out with the same reference. */
  partsAccepted: number;
  /** Which ones: bit 0 is the first part. Their ids stand in the column `ids`, empty where a part has none yet. */
  parts?: number;
  reference: number;
}

/** Beside each message chunk; written only by the owner of its task, filtered on `ownerSeq`. */
export interface OutcomeDocument extends OutcomeColumns {
  _id: string;
  batchId: string;
  index: number;
  /** Task number of the delivery step. */
  task: number;
  size: number;
  ownerSeq: number;
  /** Grows with each write of the delivery step, over all owners: a write that was given up cannot come in late. */
  revision?: number;
  /** Sums to `size`, written with the columns in one write. */
  counts: OutcomeCounts;
  /** Segments of the accepted ones. */
  segments: number;
  /** How many were sent again after an answer was lost. */
  resent: number;
  /** Account over which it was sent, and when (ms): the receipts' directory. */
  provider?: string;
  sentFromMs?: number;
  sentToMs?: number;
  updatedAtMs: number;
}

/** Written only by services/receipts, by `version`; merged with the outcome document by lib/store/merge-outcomes.ts. */
export interface ReceiptDocument {
  _id: string;
  batchId: string;
  index: number;
  size: number;
  version: number;
  /** One letter a recipient: see RECEIPT_LETTERS; '.' = none. */
  states: string;
  /** Newline-joined network errors; empty string = none at all. */
  errors: string;
  /** Newline-joined ms since `timesFromMs`, base 36. */
  times: string;
  timesFromMs: number;
  /** Answers that came in after the task went to someone else. */
  lateAnswers: {
    position: number;
    outcome: 'accepted' | 'rejected';
    messageId: string;
    code?: string;
    atMs: number;
  }[];
  /** Newline-joined letters a part, of messages that have several; absent or empty = none at all. */
  parts?: string;
  /** What receipts say of the accepted ones, as the outcome document was when this was written. */
  counts: ReceiptCounts;
  /** States of messages that were not accepted yet then: if any, a reader counts by mergeOutcomes. Absent = 0. */
  uncounted?: number;
}
