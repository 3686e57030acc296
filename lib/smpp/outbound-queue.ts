import type { Answer } from './session-options.ts';
import { createSubmitSmWriter, maxSubmitSmBytes, type OutboundMessage, submitSmRoom } from './submit-sm.ts';
import type { TurnWriter } from './turn-writer.ts';
import { type SubmitWindow, slotSent } from './window.ts';

type NotSent = Extract<Answer, { kind: 'notSent' }>;

export const notSentAnswers: Readonly<Record<NotSent['reason'], NotSent>> = {
  expired: { kind: 'notSent', reason: 'expired' },
  refused: { kind: 'notSent', reason: 'refused' },
  cancelled: { kind: 'notSent', reason: 'cancelled' },
  disconnected: { kind: 'notSent', reason: 'disconnected' },
};

/**
 * The messages encoded in the turn writer's buffer and not yet handed to the socket. Until then each can be taken back:
 * its bytes are cut out of the buffer, and it counts as certainly not sent.
 */
export class OutboundQueue<T> {
  readonly #window: SubmitWindow<T>;
  readonly #mayWrite: (() => boolean) | undefined;
  readonly #encode = createSubmitSmWriter();
  readonly #slots: Int32Array;
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  #earliestMs = Number.POSITIVE_INFINITY;
  length = 0;
  /** Taken back, to be reported when the write is over. */
  takenBack: { tag: T; answer: NotSent }[] = [];

  constructor(window: SubmitWindow<T>, mayWrite: (() => boolean) | undefined) {
    this.#window = window;
    this.#mayWrite = mayWrite;
    this.#slots = new Int32Array(window.size);
    this.#starts = new Int32Array(window.size);
    this.#ends = new Int32Array(window.size);
  }

  /** Throws SmppEncodeError for a message that cannot be encoded; nothing is queued then. */
  push(writer: TurnWriter, message: OutboundMessage, tag: T, notAfterMs: number): void {
    writer.reserve(message.tlvs === undefined ? maxSubmitSmBytes : submitSmRoom(message));
    const sequence = this.#window.peek();
    const start = writer.length;
    const end = this.#encode(writer.bytes, start, sequence, message);
    writer.length = end;
    const index = this.length++;
    this.#slots[index] = this.#window.take(sequence, tag, notAfterMs);
    this.#starts[index] = start;
    this.#ends[index] = end;
    if (notAfterMs < this.#earliestMs) this.#earliestMs = notAfterMs;
  }

  /** Immediately before the socket write: takes back what may no longer go, marks the rest as sent. */
  release(writer: TurnWriter): void {
    if (this.length === 0) return;
    if (this.#mayWrite !== undefined && !this.#mayWrite()) {
      this.takeBack(writer, Number.POSITIVE_INFINITY, 'refused');
      return;
    }
    const nowMs = performance.now();
    if (this.#earliestMs < nowMs) this.takeBack(writer, nowMs, 'expired');
    const { states, sentAtMs } = this.#window;
    for (let i = 0; i < this.length; i++) {
      const slot = this.#slots[i]!;
      states[slot] = slotSent;
      sentAtMs[slot] = nowMs;
    }
    this.length = 0;
    this.#earliestMs = Number.POSITIVE_INFINITY;
  }

  /** Cuts the messages whose deadline is before `limitMs` (all: Infinity) out of the writer's buffer. */
  takeBack(writer: TurnWriter, limitMs: number, reason: NotSent['reason']): void {
    const all = limitMs === Number.POSITIVE_INFINITY;
    const { bytes } = writer;
    let readAt = 0;
    let writeAt = 0;
    let kept = 0;
    this.#earliestMs = Number.POSITIVE_INFINITY;
    const moveUpTo = (end: number): void => {
      if (readAt !== writeAt) bytes.copyWithin(writeAt, readAt, end);
      writeAt += end - readAt;
      readAt = end;
    };
    for (let i = 0; i < this.length; i++) {
      const slot = this.#slots[i]!;
      const deadlineMs = this.#window.deadlinesMs[slot]!;
      moveUpTo(this.#starts[i]!);
      if (all || deadlineMs < limitMs) {
        readAt = this.#ends[i]!;
        this.takenBack.push({ tag: this.#window.release(slot), answer: notSentAnswers[reason] });
        continue;
      }
      const start = writeAt;
      moveUpTo(this.#ends[i]!);
      this.#slots[kept] = slot;
      this.#starts[kept] = start;
      this.#ends[kept] = writeAt;
      kept += 1;
      if (deadlineMs < this.#earliestMs) this.#earliestMs = deadlineMs;
    }
    moveUpTo(writer.length);
    writer.length = writeAt;
    this.length = kept;
  }
}
