import {
  OUTCOME_LETTERS,
  OUTCOME_OF_LETTER,
  type OutcomeCounts,
  type OutcomeLetter,
} from '../../../contracts/outcomes.ts';
import type { LateAnswer } from '../../../contracts/receipts.ts';
import { IN_DOUBT_CODE, MAX_RESENDS } from '../../../lib/journal/resolve-in-doubt.ts';
import type { DeliveryChunk } from './delivery-chunk.ts';
import { type FailureShare, failureShare, type Stop } from './failure-share.ts';
import { bitsIn, idsOf, type Message } from './message.ts';
import type { Refusal } from './providers/provider.ts';
import type { RetryPlan } from './retry-plan.ts';
import { RetryQueue, WaitingRoom } from './retry-queue.ts';

export interface SettlementEvents {
  /** Something became known, and nothing of the chunk is on its way any more. */
  onQuiet(chunk: DeliveryChunk): void;
  /** Messages came back, or the last answer came: look again. */
  onChange(): void;
  /** Everyone else would be refused as well. */
  onStop(stop: Stop): void;
  onLateAnswer(answer: LateAnswer): void;
}

/** How a task deals with what is refused or in doubt. */
export interface SettlementRules {
  retryPlan: RetryPlan;
  onInDoubt: 'hold' | 'resend';
  /** Share of refusals, 0 to 1, above which the task stops; null = none. */
  failureThreshold: number | null;
  /** Before an unanswered message is sent again, a receipt may still come. */
  resendAfterMs: number;
}

export interface Sums {
  counts: OutcomeCounts;
  segments: number;
  resent: number;
  /** ms since 1970 of the last outcome. */
  progressAt: number;
}

/** What became of a task's messages: outcomes, sums, and who has to wait or to go out again. */
export class Settlement {
  readonly retry = new RetryQueue();
  readonly waiting = new WaitingRoom();
  /** Places recorded as waiting that are authorised once more and not settled yet. */
  readonly again = new Set<number>();
  readonly counts: OutcomeCounts;
  segments: number;
  resent: number;
  progressAt: number;
  /** Messages handed to a line and not settled. */
  inFlight = 0;
  /** Somebody else has the task: answers are only told to the receipts. */
  lost = false;
  readonly #rules: SettlementRules;
  readonly #events: SettlementEvents;
  readonly #failures: FailureShare;

  constructor(rules: SettlementRules, sums: Sums, events: SettlementEvents) {
    this.#rules = rules;
    this.#events = events;
    this.#failures = failureShare(rules.failureThreshold);
    this.counts = { ...sums.counts };
    this.segments = sums.segments;
    this.resent = sums.resent;
    this.progressAt = sums.progressAt;
  }

  settle(message: Message, letter: OutcomeLetter, code: string, messageId: string): void {
    this.inFlight -= 1;
    const { chunk } = message;
    const atMs = Date.now();
    if (this.lost) {
      this.tellLate(message, letter, code, messageId, atMs);
      return;
    }
    if (this.again.size > 0) this.again.delete(message.order);
    chunk.outcomes.set(message.position, letter, code, messageId, atMs);
    chunk.sentToMs = atMs;
    if (chunk.unstoredSince === 0) chunk.unstoredSince = performance.now();
    this.counts.pending -= 1;
    this.counts[OUTCOME_OF_LETTER[letter]] += 1;
    this.progressAt = atMs;
    chunk.out -= 1;
    if (letter === OUTCOME_LETTERS.accepted) {
      this.#failures.accepted();
      chunk.segments += message.parts;
      this.segments += message.parts;
    } else if (letter === OUTCOME_LETTERS.rejected) {
      const stop = this.#failures.refused(code);
      if (stop) this.#events.onStop(stop);
    }
    if (chunk.out === 0) this.#events.onQuiet(chunk);
    if (this.inFlight === 0) this.#events.onChange();
  }

  /** Of a message that is not in flight: what a receipt has told. */
  settleWaiting(message: Message, letter: OutcomeLetter, code: string, messageId: string): void {
    this.inFlight += 1;
    this.settle(message, letter, code, messageId);
  }

  /** How long a receipt that has come may take to find its message: a fifth of the wait for it. */
  get putOffMs(): number {
    return this.#rules.resendAfterMs / 5;
  }

  /** A receipt came before it was sent again. */
  notResent(message: Message, letter: OutcomeLetter, code: string, messageId: string): void {
    message.chunk.resent -= 1;
    this.resent -= 1;
    this.settleWaiting(message, letter, code, messageId);
  }

  refused(message: Message, refusal: Refusal): void {
    switch (refusal.class) {
      case 'throttled':
      case 'session':
        this.unsent(message, refusal.class === 'throttled', refusal.code);
        return;
      case 'transient':
        this.#later(message, refusal);
        return;
      case 'recipient':
        this.settle(message, OUTCOME_LETTERS.rejected, refusal.code, idsOf(message));
        return;
      case 'inDoubt':
        this.inDoubt(message);
        return;
      case 'batch':
        this.unsent(message, false, refusal.code);
        this.#events.onStop({ code: refusal.code, message: refusal.text });
        return;
    }
  }

  /** Certainly not accepted, and no attempt of it spent. */
  unsent(message: Message, holdOthersBack: boolean, code: string): void {
    this.inFlight -= 1;
    if (this.lost) return;
    // Of what some parts went out must be known to whoever sends the rest.
    if (message.long && message.long.accepted !== 0) this.#record(message, 0, code);
    this.putBack(message, holdOthersBack);
    this.#events.onChange();
  }

  putBack(message: Message, holdOthersBack: boolean): void {
    if (this.again.size > 0) this.again.delete(message.order);
    this.retry.push(message, holdOthersBack);
  }

  inDoubt(message: Message): void {
    message.attempts += 1;
    if (this.#rules.onInDoubt === 'hold' || message.attempts > MAX_RESENDS || this.lost) {
      this.settle(message, OUTCOME_LETTERS.unknown, IN_DOUBT_CODE, idsOf(message));
      return;
    }
    this.inFlight -= 1;
    message.chunk.resent += 1;
    this.resent += 1;
    this.#wait(message, Date.now() + this.#rules.resendAfterMs, IN_DOUBT_CODE);
  }

  #later(message: Message, refusal: Refusal): void {
    message.attempts += 1;
    const waitMs = this.#rules.retryPlan.waitMs(message.attempts);
    if (waitMs === undefined) {
      this.settle(message, OUTCOME_LETTERS.rejected, refusal.code, idsOf(message));
      return;
    }
    this.inFlight -= 1;
    if (!this.lost) this.#wait(message, Date.now() + waitMs, refusal.code);
  }

  #wait(message: Message, notBefore: number, code: string): void {
    const { chunk } = message;
    this.#record(message, notBefore, code);
    this.again.delete(message.order);
    chunk.out -= 1;
    this.waiting.add({ chunk, entry: chunk.outcomes.waitingAt(message.position)! });
    if (chunk.out === 0) this.#events.onQuiet(chunk);
    this.#events.onChange();
  }

  #record(message: Message, notBefore: number, code: string): void {
    const { chunk, position, attempts, long } = message;
    const parts = long?.accepted ?? 0;
    const entry = { position, attempts, notBefore, partsAccepted: bitsIn(parts), reference: 0 };
    chunk.outcomes.wait(parts === 0 ? entry : { ...entry, parts }, code, idsOf(message));
    if (chunk.unstoredSince === 0) chunk.unstoredSince = performance.now();
  }

  /** An answer that this holder must not, or cannot any more, write itself. */
  tellLate(
    message: Message,
    letter: OutcomeLetter,
    code: string,
    messageId: string,
    atMs = Date.now(),
  ): void {
    if (letter !== OUTCOME_LETTERS.accepted && letter !== OUTCOME_LETTERS.rejected) return;
    this.#events.onLateAnswer({
      chunk: message.chunk.id,
      position: message.position,
      outcome: letter === OUTCOME_LETTERS.accepted ? 'accepted' : 'rejected',
      messageId: messageId.slice(0, 128),
      ...(code === '' ? {} : { code }),
      atMs,
    });
  }
}
