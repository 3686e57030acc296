import type { JsMsg } from '@nats-io/jetstream';

/**
 * What a handler decides about its message:
 * - `ack`: done.
 * - `nak`: again, to anyone, after so many milliseconds. It keeps its place in `max_ack_pending`: with 1, it holds the
 *   partition, in order.
 * - `term`: never again. Only after the dead letter is stored.
 * - `leave`: say nothing; the server hands it out again after `ack_wait`. For a holder that has lost its task.
 */
export type Outcome = 'ack' | 'leave' | { nak: number } | { term: string };

export function settle(message: JsMsg, outcome: Outcome): void {
  if (outcome === 'ack') message.ack();
  else if (outcome === 'leave') return;
  else if ('nak' in outcome) message.nak(outcome.nak);
  else message.term(outcome.term.replace(/[\r\n]+/g, ' ').slice(0, 500));
}
