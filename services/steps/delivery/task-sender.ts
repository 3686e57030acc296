import {
  OUTCOME_LETTERS,
  OUTCOME_OF_LETTER,
  type OutcomeCounts,
  type OutcomeLetter,
} from '../../../contracts/outcomes.ts';
import type { LateAnswer } from '../../../contracts/receipts.ts';
import { IN_DOUBT_CODE, MAX_RESENDS, RESEND_AFTER_MS } from '../../../lib/journal/resolve-in-doubt.ts';
import type { DeliveryChunk } from './delivery-chunk.ts';
import { dueAt, type Lease } from './lease.ts';
import { allParts, bitsIn, type Message, nextPart, PartTag } from './message.ts';
import type { PartEncoder } from './part-encoder.ts';
import type { Line, LineUser, Refusal, Tag } from './providers/provider.ts';
import { worse } from './refusal-order.ts';
import type { RetryPlan } from './retry-plan.ts';
import { RetryQueue, WaitingRoom } from './retry-queue.ts';

export interface SenderEvents {
  /** All of the lease has been handed over, in so many ms. */
  onLeaseSent(messages: number, elapsedMs: number): void;
  /** Something became known, and nothing of the chunk is on its way any more. */
  onQuiet(chunk: DeliveryChunk): void;
  /** Messages came back, or the last answer came: look again. */
  onChange(): void;
  /** Everyone else would be refused as well. */
  onStop(stop: { code: string; message: string }): void;
  onLateAnswer(answer: LateAnswer): void;
}

export interface SenderOptions {
  encoder: PartEncoder;
  retryPlan: RetryPlan;
  onInDoubt: 'hold' | 'resend';
  /** Share of refusals, 0 to 1, above which the task stops; null = none. */
  failureThreshold: number | null;
  counts: OutcomeCounts;
  segments: number;
  events: SenderEvents;
  wallClock?: () => number;
}

const MIN_ANSWERED = 100;
/** Messages handed over between two looks at the clock. */
const TURN_EXPIRES = 'NOT_ENCODABLE';

/**
 * The sending half of a task: turns leases into parts on lines, and answers into outcomes. It never decides what may be
 * sent: that is the journal's.
 */
export class TaskSender implements LineUser {
  readonly retry = new RetryQueue();
  readonly waiting = new WaitingRoom();
  readonly leases: Lease[] = [];
  /** Places recorded as waiting that are authorised once more and not settled yet. */
  readonly again = new Set<number>();
  readonly counts: OutcomeCounts;
  segments: number;
  resent = 0;
  /** Messages handed to a line and not settled. */
  inFlight = 0;
  /** One behind the highest place ever handed to a line. */
  sentTo = 0;
  /** ms since 1970 of the last outcome. */
  progressAt = 0;
  #answered = 0;
  #refused = 0;
  #mode: 'sending' | 'draining' | 'lost' = 'sending';
  #rests = new Map<Line, { message: Message; validUntilMs: number }>();
  #paceTimer: NodeJS.Timeout | undefined;
  readonly #options: SenderOptions;
  readonly #events: SenderEvents;
  readonly #encoder: PartEncoder;
  readonly #wallClock: () => number;
  readonly #wake: () => void;

  constructor(options: SenderOptions, wake: () => void) {
    this.#options = options;
    this.#events = options.events;
    this.#encoder = options.encoder;
    this.#wallClock = options.wallClock ?? Date.now;
    this.#wake = wake;
    this.counts = { ...options.counts };
    this.segments = options.segments;
  }

  /** The pace, not a line, is what the next message waits for. */
  get paced(): boolean {
    const lease = this.leases[0];
    return lease !== undefined && dueAt(lease) > performance.now();
  }

  /** Leases stand in the order of their first messages: what was sent before goes before what never was. */
  grant(lease: Lease): void {
    this.retry.granted(lease.messages);
    const first = lease.messages[0]!.order;
    const at = this.leases.findIndex(({ messages, next }) => messages[next]!.order > first);
    if (at < 0) this.leases.push(lease);
    else this.leases.splice(at, 0, lease);
    this.#wake();
  }

  send(line: Line, atMost: number): number {
    if (this.#mode !== 'sending') return 0;
    const nowMs = performance.now();
    let sent = this.#sendRest(line, atMost, nowMs);
    while (sent < atMost && !this.retry.holdsOthersBack) {
      const lease = this.leases[0];
      if (lease === undefined) break;
      if (nowMs >= lease.validUntilMs) {
        this.#expire(this.leases.shift()!);
        continue;
      }
      const dueMs = dueAt(lease);
      if (dueMs > nowMs) {
        this.#wakeAt(dueMs, nowMs);
        break;
      }
      if (lease.firstSentAtMs === 0) lease.firstSentAtMs = nowMs;
      const message = lease.messages[lease.next++]!;
      lease.segmentsSent += message.parts;
      // Off the list before anything is submitted: a line that fails reports from within the call.
      if (lease.next === lease.messages.length) this.#leaseSent(this.leases.shift()!, nowMs);
      sent += this.#start(message, line, atMost - sent, lease.validUntilMs);
    }
    return sent;
  }

  #leaseSent(lease: Lease, nowMs: number): void {
    this.#events.onLeaseSent(lease.messages.length, nowMs - lease.firstSentAtMs);
  }

  #start(message: Message, line: Line, room: number, validUntilMs: number): number {
    this.inFlight += 1;
    const { chunk } = message;
    if (chunk.sentFromMs === 0) chunk.sentFromMs = this.#wallClock();
    if (message.order >= this.sentTo) this.sentTo = message.order + 1;
    if (message.parts > 1) return this.#sendParts(message, line, room, validUntilMs);
    try {
      const part = this.#encoder.single(chunk, message.position);
      message.partsOut = 1;
      line.submit(part, message, validUntilMs);
      return 1;
    } catch {
      // It counts as never given; the phone or the text cannot go over this carrier.
      message.partsOut = 0;
      this.#settle(message, OUTCOME_LETTERS.rejected, TURN_EXPIRES, '');
      return 0;
    }
  }

  #sendParts(message: Message, line: Line, room: number, validUntilMs: number): number {
    message.long ??= {
      plan: undefined,
      accepted: 0,
      submitted: 0,
      ids: [],
      refusal: undefined,
      unanswered: false,
      line,
    };
    const { long } = message;
    long.line = line;
    let sent = 0;
    try {
      long.plan ??= this.#encoder.plan(message.chunk, message.position);
      const { segments } = long.plan;
      for (; sent < room && !long.refusal; sent++) {
        const part = nextPart(long.submitted, segments);
        if (part < 0) break;
        const encoded = this.#encoder.part(message, part);
        long.submitted |= 1 << part;
        message.partsOut += 1;
        line.submit(encoded, new PartTag(message, part), validUntilMs);
      }
      if (!long.refusal && nextPart(long.submitted, segments) >= 0) {
        this.#rests.set(line, { message, validUntilMs });
      }
    } catch {
      long.refusal = { class: 'recipient', code: TURN_EXPIRES, text: 'cannot be encoded' };
    }
    if (message.partsOut === 0) this.#endRound(message);
    return sent;
  }

  #sendRest(line: Line, atMost: number, nowMs: number): number {
    if (this.#rests.size === 0) return 0;
    const rest = this.#rests.get(line);
    if (!rest) return 0;
    this.#rests.delete(line);
    if (nowMs < rest.validUntilMs) return this.#sendParts(rest.message, line, atMost, rest.validUntilMs);
    if (rest.message.partsOut === 0) this.#endRound(rest.message);
    return 0;
  }

  /** Leases, and rests of long messages, that are too old. */
  expire(nowMs: number): void {
    while (this.leases[0] && nowMs >= this.leases[0].validUntilMs) this.#expire(this.leases.shift()!);
    for (let i = this.leases.length - 1; i >= 0; i--) {
      if (nowMs >= this.leases[i]!.validUntilMs) this.#expire(this.leases.splice(i, 1)[0]!);
    }
    for (const [line, rest] of this.#rests) {
      if (nowMs < rest.validUntilMs) continue;
      this.#rests.delete(line);
      if (rest.message.partsOut === 0) this.#endRound(rest.message);
    }
  }

  #expire(lease: Lease): void {
    // Held back like throttled ones: the next lease would overtake them.
    for (let i = lease.next; i < lease.messages.length; i++) this.#putBack(lease.messages[i]!, true);
    if (lease.next > 0) this.#events.onLeaseSent(lease.next, performance.now() - lease.firstSentAtMs);
    this.#events.onChange();
  }

  #putBack(message: Message, holdOthersBack: boolean): void {
    if (this.again.size > 0) this.again.delete(message.order);
    this.retry.push(message, holdOthersBack);
  }

  #wakeAt(atMs: number, nowMs: number): void {
    if (this.#paceTimer) return;
    this.#paceTimer = setTimeout(
      () => {
        this.#paceTimer = undefined;
        this.#wake();
      },
      Math.max(1, atMs - nowMs),
    );
  }

  /** Stops sending; what was not handed over comes back to `retry`. In flight are then only answers to be waited for. */
  drain(): void {
    this.#mode = this.#mode === 'lost' ? 'lost' : 'draining';
    clearTimeout(this.#paceTimer);
    for (const lease of this.leases.splice(0)) this.#expire(lease);
    this.expire(Number.POSITIVE_INFINITY);
  }

  /** Somebody else has the task: answers are from now on only told to the receipts. */
  lose(): void {
    this.#mode = 'lost';
    this.drain();
  }

  onAccepted(tag: Tag, messageId: string) {
    const message = tag as Message;
    if (message.parts !== 1) return this.#partAnswered(tag as PartTag, messageId);
    message.partsOut = 0;
    this.#settle(message, OUTCOME_LETTERS.accepted, '', messageId);
  }

  #partAnswered({ message, part }: PartTag, messageId: string): void {
    const long = message.long!;
    long.accepted |= 1 << part;
    long.ids[part] = messageId;
    this.#partDone(message);
  }

  onRefused(tag: Tag, refusal: Refusal) {
    const message = messageOf(tag);
    if (message.long) {
      message.long.refusal = worse(message.long.refusal, refusal);
      if (tag instanceof PartTag && refusal.class !== 'inDoubt') message.long.submitted &= ~(1 << tag.part);
      return this.#partDone(message);
    }
    message.partsOut = 0;
    this.#onRefusal(message, refusal);
  }

  #onRefusal(message: Message, refusal: Refusal) {
    switch (refusal.class) {
      case 'throttled':
      case 'session':
        return this.#unsent(message, refusal.class === 'throttled', refusal.code);
      case 'transient':
        return this.#later(message, refusal);
      case 'recipient':
        return this.#settle(message, OUTCOME_LETTERS.rejected, refusal.code, idsOf(message));
      case 'inDoubt':
        return this.#inDoubt(message);
      case 'batch':
        this.#unsent(message, false, refusal.code);
        return this.#events.onStop({ code: refusal.code, message: refusal.text });
    }
  }

  onUnanswered(tag: Tag) {
    const message = messageOf(tag);
    if (message.long) {
      message.long.unanswered = true;
      return this.#partDone(message);
    }
    message.partsOut = 0;
    this.#inDoubt(message);
  }

  onNotSent(tag: Tag) {
    const message = messageOf(tag);
    if (message.long) {
      message.long.submitted &= ~(1 << (tag as PartTag).part);
      return this.#partDone(message);
    }
    message.partsOut = 0;
    this.#unsent(message, false, '');
  }

  #partDone(message: Message): void {
    message.partsOut -= 1;
    if (message.partsOut === 0 && !this.#hasRest(message)) this.#endRound(message);
  }

  #hasRest(message: Message): boolean {
    const rest = message.long?.line && this.#rests.get(message.long.line);
    if (!rest || rest.message !== message) return false;
    // A refused part ends the round: the rest stays unsent.
    if (!message.long!.refusal) return true;
    this.#rests.delete(message.long!.line!);
    return false;
  }

  /** Every part that was submitted is answered, or was not sent. */
  #endRound(message: Message) {
    const long = message.long!;
    const { refusal, unanswered, accepted } = long;
    const parts = long.plan?.segments ?? message.parts;
    long.refusal = undefined;
    long.unanswered = false;
    long.submitted = accepted;
    if (unanswered && refusal?.class !== 'recipient') return this.#inDoubt(message);
    if (refusal) return this.#onRefusal(message, refusal);
    if (accepted === allParts(parts))
      return this.#settle(message, OUTCOME_LETTERS.accepted, '', idsOf(message));
    this.#unsent(message, false, '');
  }

  /** Certainly not accepted, and no attempt of it spent. */
  #unsent(message: Message, throttled: boolean, code: string): void {
    this.inFlight -= 1;
    if (this.#mode === 'lost') return;
    // What some parts went out of must be known to whoever sends the rest.
    if (message.long && message.long.accepted !== 0) this.#record(message, 0, code);
    this.#putBack(message, throttled);
    this.#events.onChange();
  }

  #record(message: Message, notBefore: number, code: string): void {
    const { chunk, position, attempts, long } = message;
    const accepted = long?.accepted ?? 0;
    const entry = {
      position,
      attempts,
      notBefore,
      partsAccepted: bitsIn(accepted),
      ...(accepted === 0 ? {} : { parts: accepted }),
      reference: 0,
    };
    chunk.outcomes.wait(entry, code, idsOf(message));
    if (chunk.unstoredSince === 0) chunk.unstoredSince = performance.now();
  }

  #later(message: Message, refusal: Refusal) {
    message.attempts += 1;
    const waitMs = this.#options.retryPlan.waitMs(message.attempts);
    if (waitMs === undefined) {
      return this.#settle(message, OUTCOME_LETTERS.rejected, refusal.code, idsOf(message));
    }
    this.inFlight -= 1;
    if (this.#mode === 'lost') return;
    this.#wait(message, this.#wallClock() + waitMs, refusal.code);
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

  #inDoubt(message: Message) {
    message.attempts += 1;
    if (this.#options.onInDoubt === 'hold' || message.attempts > MAX_RESENDS || this.#mode === 'lost') {
      return this.#settle(message, OUTCOME_LETTERS.unknown, IN_DOUBT_CODE, idsOf(message));
    }
    this.inFlight -= 1;
    message.chunk.resent += 1;
    this.resent += 1;
    this.#wait(message, this.#wallClock() + RESEND_AFTER_MS, IN_DOUBT_CODE);
  }

  /** Of a message that is not in flight: what a receipt has told. */
  settleWaiting(message: Message, letter: OutcomeLetter, code: string, messageId: string): void {
    this.inFlight += 1;
    this.#settle(message, letter, code, messageId);
  }

  #settle(message: Message, letter: OutcomeLetter, code: string, messageId: string) {
    this.inFlight -= 1;
    const { chunk } = message;
    const atMs = this.#wallClock();
    if (this.#mode === 'lost') return this.#tellLate(message, letter, code, messageId, atMs);
    if (this.again.size > 0) this.again.delete(message.order);
    chunk.outcomes.set(message.position, letter, code, messageId, atMs);
    chunk.sentToMs = atMs;
    if (chunk.unstoredSince === 0) chunk.unstoredSince = performance.now();
    this.counts.pending -= 1;
    this.counts[OUTCOME_OF_LETTER[letter]] += 1;
    this.progressAt = atMs;
    chunk.out -= 1;
    if (letter === OUTCOME_LETTERS.accepted) {
      this.#answered += 1;
      chunk.segments += message.parts;
      this.segments += message.parts;
    } else if (letter === OUTCOME_LETTERS.rejected) {
      this.#answered += 1;
      this.#refused += 1;
      this.#checkThreshold(code);
    }
    if (chunk.out === 0) this.#events.onQuiet(chunk);
    if (this.inFlight === 0) this.#events.onChange();
  }

  #checkThreshold(code: string): void {
    const { failureThreshold } = this.#options;
    if (failureThreshold === null || this.#answered < MIN_ANSWERED) return;
    const share = this.#refused / this.#answered;
    if (share <= failureThreshold) return;
    const percent = (value: number) => `${Math.round(value * 1000) / 10} %`;
    this.#events.onStop({
      code: 'failure-threshold',
      message: `${percent(share)} of ${this.#answered} answers are refusals, more than ${percent(failureThreshold)}; the last one was ${code}`,
    });
  }

  #tellLate(message: Message, letter: OutcomeLetter, code: string, messageId: string, atMs: number): void {
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

  onLateAnswer(tag: Tag, answer: { messageId: string } | { refusal: Refusal }) {
    const message = messageOf(tag);
    const atMs = this.#wallClock();
    if ('refusal' in answer) {
      return this.#tellLate(message, OUTCOME_LETTERS.rejected, answer.refusal.code, '', atMs);
    }
    if (message.long) {
      message.long.accepted |= 1 << (tag as PartTag).part;
      message.long.ids[(tag as PartTag).part] = answer.messageId;
      if (message.long.accepted !== allParts(message.parts)) return;
      return this.#tellLate(message, OUTCOME_LETTERS.accepted, '', idsOf(message), atMs);
    }
    this.#tellLate(message, OUTCOME_LETTERS.accepted, '', answer.messageId, atMs);
  }
}

const messageOf = (tag: Tag): Message => (tag instanceof PartTag ? tag.message : (tag as Message));

/** Ids of the accepted parts in their order, empty where a part has none. */
function idsOf({ long, parts }: Message): string {
  if (!long || long.accepted === 0) return '';
  return Array.from({ length: parts }, (_, part) => long.ids[part] ?? '').join(' ');
}
