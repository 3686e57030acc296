import { seededRandom } from '../../lib/random/seeded-random.ts';

export const START_MS = Date.parse('2026-11-25T09:00:00Z');

/** One process. All that it has in memory goes with it; what it has on the wire may still arrive. */
export class Host {
  readonly name: string;
  state: 'up' | 'frozen' | 'dead' = 'up';
  /** What came in, and what fell due, while it was frozen. */
  readonly deferred: (() => void)[] = [];
  readonly abort = new AbortController();

  constructor(name: string) {
    this.name = name;
  }
}

interface Event {
  atMs: number;
  /** Of two at the same instant the one that was asked for first. */
  n: number;
  host: Host | undefined;
  run: (() => void) | undefined;
}

const realImmediate = setImmediate;
const turnOfNode = () => new Promise<void>((resolve) => realImmediate(resolve));

/**
 * Virtual time and the one queue of all that is to happen, by instant. A step takes the first, and lets the code that it woke
 * run until it waits for the next: so each run of the same seed is the same.
 */
export class Timeline {
  nowMs = START_MS;
  steps = 0;
  /** Whose code runs now. */
  current: Host | undefined;
  readonly random: () => number;
  readonly #heap: Event[] = [];
  #count = 0;
  #trace: string[] = [];

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** A whole number below `n`. */
  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  between(from: number, to: number): number {
    return from + this.random() * (to - from);
  }

  /** What has happened lately, for whoever has to understand a failure. */
  note(line: string): void {
    const at = ((this.nowMs - START_MS) / 1_000).toFixed(3).padStart(9);
    this.#trace.push(`${at} s  ${line}`);
    if (this.#trace.length > 6_000) this.#trace = this.#trace.slice(-3_000);
  }

  trace(lines: number): readonly string[] {
    return this.#trace.slice(-lines);
  }

  /** @returns takes it back */
  after(ms: number, run: () => void, host?: Host): () => void {
    const event: Event = { atMs: this.nowMs + Math.max(0, ms), n: this.#count++, host, run };
    this.#push(event);
    return () => {
      event.run = undefined;
    };
  }

  /** One event. False: nothing will happen any more. */
  async step(): Promise<boolean> {
    for (;;) {
      const event = this.#pop();
      if (!event) return false;
      const { run, host } = event;
      if (!run || host?.state === 'dead') continue;
      this.nowMs = Math.max(this.nowMs, event.atMs);
      if (host?.state === 'frozen') {
        host.deferred.push(run);
        continue;
      }
      this.steps += 1;
      this.current = host;
      run();
      await turnOfNode();
      this.current = undefined;
      return true;
    }
  }

  freeze(host: Host, ms: number): void {
    if (host.state !== 'up') return;
    this.note(`${host.name} freezes for ${Math.round(ms)} ms`);
    host.state = 'frozen';
    this.after(ms, () => this.thaw(host));
  }

  thaw(host: Host): void {
    if (host.state !== 'frozen') return;
    this.note(`${host.name} goes on`);
    host.state = 'up';
    for (const run of host.deferred.splice(0)) this.after(0, run, host);
  }

  kill(host: Host): void {
    if (host.state === 'dead') return;
    this.note(`${host.name} is killed`);
    host.state = 'dead';
    host.deferred.length = 0;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    heap.push(event);
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!isBefore(heap[at]!, heap[parent]!)) break;
      [heap[parent], heap[at]] = [heap[at]!, heap[parent]!];
      at = parent;
    }
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      }
      if (least === at) return first;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  }
}

const isBefore = (left: Event, right: Event): boolean =>
  left.atMs < right.atMs || (left.atMs === right.atMs && left.n < right.n);
