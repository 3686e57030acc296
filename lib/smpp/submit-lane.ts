import { OutboundQueue } from './outbound-queue.ts';
import { commandIds, readUint32 } from './pdu.ts';
import { readAnswerId } from './read-message.ts';
import type { Answer, AnsweredAnswer, SessionCounters, SessionHandlers } from './session-options.ts';
import type { OutboundMessage } from './submit-sm.ts';
import type { TurnWriter } from './turn-writer.ts';
import { SubmitWindow, slotLate, slotSent } from './window.ts';

const timedOut: Answer = { kind: 'noAnswer', reason: 'timeout' };
const disconnected: Answer = { kind: 'noAnswer', reason: 'disconnected' };
const unknownError = 0xff;

/** The messages of one connection, from submit to their answer: each is reported exactly once. */
export class SubmitLane<T> {
  readonly #window: SubmitWindow<T>;
  readonly #queue: OutboundQueue<T>;
  readonly #handlers: SessionHandlers<T>;
  readonly #counters: SessionCounters;
  /** Set where the room has grown, until it is signalled. */
  roomGrew = false;

  constructor(windowSize: number, handlers: SessionHandlers<T>, counters: SessionCounters) {
    this.#window = new SubmitWindow(windowSize);
    this.#queue = new OutboundQueue(this.#window, handlers.mayWrite?.bind(handlers));
    this.#handlers = handlers;
    this.#counters = counters;
  }

  get free(): number {
    return this.#window.size - this.#window.outstanding;
  }

  get outstanding(): number {
    return this.#window.outstanding;
  }

  nextSequence(): number {
    return this.#window.nextSequence();
  }

  submit(writer: TurnWriter, message: OutboundMessage, tag: T, notAfterMs: number): void {
    this.#queue.push(writer, message, tag, notAfterMs);
    this.#counters.submitted += 1;
  }

  /** Immediately before the socket write. */
  release(writer: TurnWriter): void {
    this.#queue.release(writer);
  }

  takeBackAll(writer: TurnWriter, reason: 'cancelled' | 'disconnected'): void {
    this.#queue.takeBack(writer, Number.POSITIVE_INFINITY, reason);
  }

  /** Reports what was taken back; not while the writer is at work, since the handler may submit. */
  reportTakenBack(): number {
    const list = this.#queue.takenBack;
    if (list.length === 0) return 0;
    this.#queue.takenBack = [];
    this.roomGrew = true;
    this.#counters.notSent += list.length;
    for (const { tag, answer } of list) this.#handlers.onAnswer(tag, answer);
    return list.length;
  }

  /** A submit_sm_resp or generic_nack in bytes[start, end); false when it answers nothing that is out. */
  answer(bytes: Buffer, start: number, end: number, commandId: number): boolean {
    const slot = this.#window.find(readUint32(bytes, start + 12));
    const state = slot < 0 ? undefined : this.#window.states[slot];
    if (state !== slotSent && state !== slotLate) return false;
    const commandStatus = readUint32(bytes, start + 8);
    // A nack with status 0 is still a refusal.
    const nacked = commandId === commandIds.generic_nack && commandStatus === 0;
    const answer: AnsweredAnswer = {
      kind: 'answered',
      commandStatus: nacked ? unknownError : commandStatus,
      messageId: commandId === commandIds.submit_sm_resp ? readAnswerId(bytes, start, end) : '',
    };
    if (state === slotSent) {
      this.roomGrew = true;
      this.#counters.answered += 1;
      this.#handlers.onAnswer(this.#window.release(slot), answer);
    } else {
      this.#counters.lateAnswers += 1;
      this.#handlers.onLateAnswer?.(this.#window.release(slot), answer);
    }
    return true;
  }

  expire(sentBeforeMs: number): void {
    if (this.#window.outstanding === 0) return;
    for (const slot of this.#window.sentBefore(sentBeforeMs)) {
      this.#counters.timedOut += 1;
      this.roomGrew = true;
      this.#handlers.onAnswer(this.#window.giveUp(slot), timedOut);
    }
  }

  /** The connection is gone: what was not handed over is `notSent`, what was is in doubt. */
  lose(writer: TurnWriter): void {
    this.takeBackAll(writer, 'disconnected');
    this.reportTakenBack();
    for (const slot of this.#window.sentBefore(Number.POSITIVE_INFINITY)) {
      this.#handlers.onAnswer(this.#window.release(slot), disconnected);
    }
  }
}
