import type { WaitingMessage } from '../../../lib/store/chunk-documents.ts';
import type { DeliveryChunk } from './delivery-chunk.ts';
import type { Message } from './message.ts';

/** Messages that certainly did not go out and go first now, in the order of their first sending. */
export class RetryQueue {
  #messages: Message[] = [];
  #sorted = true;
  /** Orders of messages that go before all others, until they may be sent again. */
  readonly #first = new Set<number>();

  get length(): number {
    return this.#messages.length;
  }

  /** Nothing may overtake a throttled message, nor while its new intent is on the way. */
  get holdsOthersBack(): boolean {
    return this.#first.size > 0;
  }

  push(message: Message, holdOthersBack: boolean): void {
    const last = this.#messages[this.#messages.length - 1];
    if (last && last.order > message.order) this.#sorted = false;
    this.#messages.push(message);
    if (holdOthersBack) this.#first.add(message.order);
  }

  take(atMost: number): Message[] {
    if (this.#messages.length === 0) return [];
    if (!this.#sorted) this.#messages.sort((a, b) => a.order - b.order);
    this.#sorted = true;
    return this.#messages.splice(0, atMost);
  }

  /** They stand in a lease now, in their place. */
  granted(messages: readonly Message[]): void {
    if (this.#first.size === 0) return;
    for (const { order } of messages) this.#first.delete(order);
  }
}

export interface Due {
  chunk: DeliveryChunk;
  entry: WaitingMessage;
  /** How often it was put off, since a receipt that may be its own was being looked at. */
  putOff?: number;
}

/** Messages that were refused for now, soonest first. */
export class WaitingRoom {
  readonly #heap: Due[] = [];

  get length(): number {
    return this.#heap.length;
  }

  /** ms since 1970; Infinity when nobody waits. */
  get nextAtMs(): number {
    return this.#heap[0]?.entry.notBefore ?? Number.POSITIVE_INFINITY;
  }

  add(due: Due): void {
    const heap = this.#heap;
    heap.push(due);
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.entry.notBefore <= heap[at]!.entry.notBefore) break;
      [heap[parent], heap[at]] = [heap[at]!, heap[parent]!];
      at = parent;
    }
  }

  takeDue(nowMs: number, atMost: number): Due[] {
    const taken: Due[] = [];
    while (taken.length < atMost && this.nextAtMs <= nowMs) taken.push(this.#pop());
    return taken;
  }

  #pop(): Due {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      if (left >= heap.length) return first;
      const right = left + 1;
      const smaller =
        right < heap.length && heap[right]!.entry.notBefore < heap[left]!.entry.notBefore ? right : left;
      if (heap[at]!.entry.notBefore <= heap[smaller]!.entry.notBefore) return first;
      [heap[at], heap[smaller]] = [heap[smaller]!, heap[at]!];
      at = smaller;
    }
  }
}
