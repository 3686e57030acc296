import { maxSequenceNumber } from './pdu.ts';

export const slotFree = 0;
/** Encoded, not yet handed to the socket. */
export const slotQueued = 1;
/** Handed to the socket, unanswered. */
export const slotSent = 2;
/** Reported as unanswered; kept until the slot is needed, so that a late answer still finds its tag. */
export const slotLate = 3;

/**
 * The messages that are out, in a ring by sequence number. A slot is believed only when the sequence number stored in
 * it is the one asked for: an answer from outside the ring is nobody's.
 */
export class SubmitWindow<T> {
  readonly size: number;
  readonly #mask: number;
  readonly #sequences: Uint32Array;
  readonly states: Uint8Array;
  readonly sentAtMs: Float64Array;
  readonly deadlinesMs: Float64Array;
  readonly tags: (T | undefined)[];
  /** Queued and sent. */
  outstanding = 0;
  #last = 0;

  constructor(size: number) {
    if (!Number.isInteger(size) || size < 1 || size > 65_536) {
      throw new RangeError(`window is ${size}, expected an integer from 1 to 65536`);
    }
    this.size = size;
    // Four times the window, so that one slow answer rarely stands in the way of a new number.
    const capacity = 2 ** Math.ceil(Math.log2(size * 4));
    this.#mask = capacity - 1;
    this.#sequences = new Uint32Array(capacity);
    this.states = new Uint8Array(capacity);
    this.sentAtMs = new Float64Array(capacity);
    this.deadlinesMs = new Float64Array(capacity);
    this.tags = new Array<T | undefined>(capacity).fill(undefined);
  }

  /** A number for a PDU that is not a submit_sm, and holds no slot. */
  nextSequence(): number {
    this.#last = this.#last >= maxSequenceNumber ? 1 : this.#last + 1;
    return this.#last;
  }

  /** The number that `take` will give, passing over slots still in use. */
  peek(): number {
    let sequence = this.#last;
    do {
      sequence = sequence >= maxSequenceNumber ? 1 : sequence + 1;
    } while (this.#inUse(sequence & this.#mask));
    return sequence;
  }

  #inUse(slot: number): boolean {
    const state = this.states[slot];
    return state === slotQueued || state === slotSent;
  }

  /** Needs `outstanding < size`. */
  take(sequence: number, tag: T, deadlineMs: number): number {
    const slot = sequence & this.#mask;
    this.#last = sequence;
    this.#sequences[slot] = sequence;
    this.states[slot] = slotQueued;
    this.deadlinesMs[slot] = deadlineMs;
    this.tags[slot] = tag;
    this.outstanding += 1;
    return slot;
  }

  /** The slot that this sequence number holds, or -1. */
  find(sequence: number): number {
    const slot = sequence & this.#mask;
    return this.#sequences[slot] === sequence && this.states[slot] !== slotFree ? slot : -1;
  }

  /** Frees the slot and returns its tag. */
  release(slot: number): T {
    const tag = this.tags[slot] as T;
    if (this.states[slot] !== slotLate) this.outstanding -= 1;
    this.states[slot] = slotFree;
    this.tags[slot] = undefined;
    return tag;
  }

  /** Slots of messages sent at or before `sentBeforeMs`, or all that are out for Infinity, in order of sending. */
  sentBefore(sentBeforeMs: number): number[] {
    const slots: number[] = [];
    for (let slot = 0; slot <= this.#mask; slot++) {
      if (this.states[slot] === slotSent && this.sentAtMs[slot]! <= sentBeforeMs) slots.push(slot);
    }
    return slots.sort((a, b) => this.#sequences[a]! - this.#sequences[b]!);
  }

  /** Gives up on an answer: the room is free again, the tag stays known. */
  giveUp(slot: number): T {
    this.states[slot] = slotLate;
    this.outstanding -= 1;
    return this.tags[slot] as T;
  }
}
