import { OUTCOME_LETTERS } from '../../../contracts/outcomes.ts';
import { dueAt, type Lease } from './lease.ts';
import { allParts, idsOf, longMessage, type Message, nextPart, PartTag } from './message.ts';
import type { PartEncoder } from './part-encoder.ts';
import type { Line, LineUser, Refusal, Tag } from './providers/provider.ts';
import { worse } from './refusal-order.ts';
import type { Settlement } from './settlement.ts';

/** Code of a message that cannot go over this carrier as it is. */
const NOT_ENCODABLE = 'NOT_ENCODABLE';

export interface SenderOptions {
  encoder: PartEncoder;
  settlement: Settlement;
  /** All of a lease has been handed over, or it is too old: so many messages in so many ms. */
  onLeaseSent(messages: number, elapsedMs: number): void;
  /** The lines are to ask for more. */
  wake(): void;
}

/**
 * The sending half of a task: turns leases into parts on lines, and answers into outcomes. It never decides what may be
 * sent: that is the journal's.
 */
export class TaskSender implements LineUser {
  readonly leases: Lease[] = [];
  /** One behind the highest place ever handed to a line. */
  sentTo = 0;
  #sending = true;
  readonly #settlement: Settlement;
  readonly #encoder: PartEncoder;
  readonly #options: SenderOptions;
  /** What is left of a long message on the line that has begun it. */
  readonly #rests = new Map<Line, { message: Message; validUntilMs: number }>();
  #paceTimer: NodeJS.Timeout | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#settlement = options.settlement;
    this.#encoder = options.encoder;
  }

  /** The pace, not a line, is what the next message waits for. */
  get paced(): boolean {
    const lease = this.leases[0];
    return lease !== undefined && dueAt(lease) > performance.now();
  }

  /** Leases stand in the order of their first messages: what was sent before goes before what never was. */
  grant(lease: Lease): void {
    this.#settlement.retry.granted(lease.messages);
    const first = lease.messages[0]!.order;
    const at = this.leases.findIndex(({ messages, next }) => messages[next]!.order > first);
    if (at < 0) this.leases.push(lease);
    else this.leases.splice(at, 0, lease);
    this.#options.wake();
  }

  send(line: Line, atMost: number): number {
    if (!this.#sending) return 0;
    const { retry } = this.#settlement;
    const nowMs = performance.now();
    let sent = this.#sendRest(line, atMost, nowMs);
    while (sent < atMost && !retry.holdsOthersBack) {
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
    this.#options.onLeaseSent(lease.messages.length, nowMs - lease.firstSentAtMs);
  }

  #start(message: Message, line: Line, room: number, validUntilMs: number): number {
    this.#settlement.inFlight += 1;
    const { chunk } = message;
    if (chunk.sentFromMs === 0) chunk.sentFromMs = Date.now();
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
      this.#settlement.settle(message, OUTCOME_LETTERS.rejected, NOT_ENCODABLE, '');
      return 0;
    }
  }

  #sendParts(message: Message, line: Line, room: number, validUntilMs: number): number {
    message.long ??= longMessage();
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
      long.refusal = { class: 'recipient', code: NOT_ENCODABLE, text: 'cannot be encoded' };
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
    for (let i = lease.next; i < lease.messages.length; i++) {
      this.#settlement.putBack(lease.messages[i]!, true);
    }
    this.#options.onLeaseSent(lease.next, performance.now() - lease.firstSentAtMs);
  }

  #wakeAt(atMs: number, nowMs: number): void {
    if (this.#paceTimer) return;
    this.#paceTimer = setTimeout(
      () => {
        this.#paceTimer = undefined;
        this.#options.wake();
      },
      Math.max(1, atMs - nowMs),
    );
  }

  /** Stops sending; what was not handed over comes back to be settled. In flight are then only answers. */
  drain(): void {
    this.#sending = false;
    clearTimeout(this.#paceTimer);
    for (const lease of this.leases.splice(0)) this.#expire(lease);
    this.expire(Number.POSITIVE_INFINITY);
  }

  onAccepted(tag: Tag, messageId: string) {
    const message = tag as Message;
    if (message.parts !== 1) return this.#partAnswered(tag as PartTag, messageId);
    message.partsOut = 0;
    this.#settlement.settle(message, OUTCOME_LETTERS.accepted, '', messageId);
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
    this.#settlement.refused(message, refusal);
  }

  onUnanswered(tag: Tag) {
    const message = messageOf(tag);
    if (message.long) {
      message.long.unanswered = true;
      return this.#partDone(message);
    }
    message.partsOut = 0;
    this.#settlement.inDoubt(message);
  }

  onNotSent(tag: Tag) {
    const message = messageOf(tag);
    if (message.long) {
      message.long.submitted &= ~(1 << (tag as PartTag).part);
      return this.#partDone(message);
    }
    message.partsOut = 0;
    this.#settlement.unsent(message, false, '');
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
    if (unanswered && refusal?.class !== 'recipient') return this.#settlement.inDoubt(message);
    if (refusal) return this.#settlement.refused(message, refusal);
    if (accepted === allParts(parts))
      return this.#settlement.settle(message, OUTCOME_LETTERS.accepted, '', idsOf(message));
    this.#settlement.unsent(message, false, '');
  }

  onLateAnswer(tag: Tag, answer: { messageId: string } | { refusal: Refusal }) {
    const message = messageOf(tag);
    if ('refusal' in answer) {
      return this.#settlement.tellLate(message, OUTCOME_LETTERS.rejected, answer.refusal.code, '');
    }
    if (message.long) {
      message.long.accepted |= 1 << (tag as PartTag).part;
      message.long.ids[(tag as PartTag).part] = answer.messageId;
      if (message.long.accepted !== allParts(message.long.plan?.segments ?? message.parts)) return;
      return this.#settlement.tellLate(message, OUTCOME_LETTERS.accepted, '', idsOf(message));
    }
    this.#settlement.tellLate(message, OUTCOME_LETTERS.accepted, '', answer.messageId);
  }
}

const messageOf = (tag: Tag): Message => (tag instanceof PartTag ? tag.message : (tag as Message));
