import type { Message } from './message.ts';
import type { Pace } from './pacing.ts';

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

const leaseOf = (messages: readonly Message[], validUntilMs: number, pace: Pace): Lease => ({
  messages,
  next: 0,
  validUntilMs,
  ...pace,
  segmentsSent: 0,
  firstSentAtMs: 0,
});

export const segmentsOf = (messages: readonly Message[]): number =>
  messages.reduce((sum, message) => sum + message.parts, 0);

/**
 * What one intent covers, as leases: where messages that were sent before and new ones (from the place `newFrom` on) are
 * mixed there are two, so that each finds its own place among the others.
 */
export function leasesOf(
  messages: readonly Message[],
  newFrom: number,
  validUntilMs: number,
  pace: Pace,
): Lease[] {
  const firstNew = messages.findIndex(({ order }) => order >= newFrom);
  if (firstNew <= 0) return [leaseOf(messages, validUntilMs, pace)];
  const old = messages.slice(0, firstNew);
  const startAtMs = pace.startAtMs + segmentsOf(old) * pace.msPerSegment;
  return [
    leaseOf(old, validUntilMs, pace),
    leaseOf(messages.slice(firstNew), validUntilMs, { ...pace, startAtMs }),
  ];
}

/** When the next message of it may go. */
export const dueAt = (lease: Lease): number => lease.startAtMs + lease.segmentsSent * lease.msPerSegment;
