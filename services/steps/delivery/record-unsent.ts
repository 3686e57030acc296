import type { Message } from './message.ts';

/**
 * Authorised and certainly not sent: written down as such, so that they are not in doubt. What lies behind `sentTo` was
 * never begun: of it the authorisation is taken back, and nothing need be said.
 */
export function recordUnsent(messages: readonly Message[], sentTo: number): void {
  for (const { chunk, position, attempts, order } of messages) {
    chunk.out -= 1;
    if (order >= sentTo || chunk.outcomes.waitingAt(position)) continue;
    chunk.outcomes.wait({ position, attempts, notBefore: 0, partsAccepted: 0, reference: 0 });
  }
}
