import type { OutcomeCounts } from '../../contracts/outcomes.ts';
import type { OutcomeColumns } from './chunk-documents.ts';

/**
 * The journal of one task: everything that decides who may send lies in this one document
 * (design: "Tasks and the journal"). Positions are written as {@link place} numbers.
 */
export interface TaskDocument {
  _id: string;
  batchId: string;
  incarnation: string;
  step: string;
  n: number;
  epoch: number;
  run: 'go' | 'hold';
  /** True from handing out until the answer's outcome is stored. */
  out: boolean;
  done: boolean;
  holder?: string;
  /** Of the last take: tells the taker that what it reads is its own. */
  claim?: string;
  /** Raised by each take: the fence of the outcome documents too. */
  ownerSeq: number;
  /** First place whose chunk's outcomes are not yet all stored. */
  cursor: number;
  /** Every place below it may have been sent. */
  authorisedTo: number;
  /** MongoDB was set back: from then on (ms since 1970) whoever has no outcome may have been sent to, also who waits. */
  restoredFrom?: number;
  /** Places below `authorisedTo` that are being sent once more, after an answer that proved non-acceptance. */
  again: number[];
  /** Outcomes known since the last write of their chunk, by chunk index. */
  facts: { index: number; columns: OutcomeColumns }[];
  counts: OutcomeCounts;
  segments: number;
  resent: number;
  /** Segments a second for the batch; null = no limit of its own. Read again by its holder once a second. */
  ratePerSecond: number | null;
  /** What a step other than delivery has found so far, stored with `cursor`; kept over epochs, unlike `result`. */
  soFar?: Record<string, unknown>;
  /** Result of a task that is done, answered again when asked again. */
  result?: Record<string, unknown>;
  config: Record<string, unknown>;
  /** Changes of `counts`, over all holders: the version of its progress events. */
  progressVersion: number;
  progressAt: number;
  createdAt: number;
}

/** Chunks hold at most this many recipients; places leave room for it. */
export const CHUNK_SIZE = 500;
const PLACES_A_CHUNK = 1_024;

/** A position within a batch as one ordered number: chunk index × 1,024 + position in the chunk. */
export const place = (index: number, position: number): number => index * PLACES_A_CHUNK + position;
export const chunkOfPlace = (value: number): number => Math.floor(value / PLACES_A_CHUNK);
export const positionOfPlace = (value: number): number => value % PLACES_A_CHUNK;
