import type { Message } from './message.ts';

/** One acknowledged intent: these messages may leave, in this order, until it is too old. */
export interface Lease {
  messages: readonly Message[];
  next: number;
  /** performance.now(). */
  validUntilMs: number;
  /** Not before; by the rate's reservation. */
  startAtMs: number;
  /** 0 = as fast as the lines take them. */
  msPerSegment: number;
  segmentsSent: number;
  firstSentAtMs: number;
}

export const leaseOf = (
  messages: readonly Message[],
  validUntilMs: number,
  pace: { startAtMs: number; msPerSegment: number },
): Lease => ({ messages, next: 0, validUntilMs, ...pace, segmentsSent: 0, firstSentAtMs: 0 });

/** When the next message of it may go. */
export const dueAt = (lease: Lease): number => lease.startAtMs + lease.segmentsSent * lease.msPerSegment;
