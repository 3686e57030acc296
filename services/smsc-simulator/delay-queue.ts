/** Things due later, to the millisecond, with one timer for all: a bucket a millisecond, in order within it. */
export class DelayQueue<E> {
  readonly #onDue: (entry: E) => void;
  readonly #buckets = new Map<number, E[]>();
  /** Ascending; entries mostly come at the end. */
  #keys: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #timerKey = 0;
  size = 0;

  constructor(onDue: (entry: E) => void) {
    this.#onDue = onDue;
  }

  push(entry: E, delayMs: number): void {
    const key = Math.ceil(performance.now() + delayMs);
    this.size += 1;
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) {
      bucket.push(entry);
      return;
    }
    this.#buckets.set(key, [entry]);
    let at = this.#keys.length;
    while (at > 0 && this.#keys[at - 1]! > key) at--;
    this.#keys.splice(at, 0, key);
    if (this.#timer === undefined || key < this.#timerKey) this.#arm();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#buckets.clear();
    this.#keys = [];
    this.size = 0;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const key = this.#keys[0];
    if (key === undefined) return;
    this.#timerKey = key;
    this.#timer = setTimeout(() => this.#run(), Math.max(0, key - performance.now()));
  }

  #run(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    let due = 0;
    while (due < this.#keys.length && this.#keys[due]! <= nowMs) due++;
    for (const key of this.#keys.splice(0, due)) {
      const bucket = this.#buckets.get(key)!;
      this.#buckets.delete(key);
      this.size -= bucket.length;
      for (const entry of bucket) this.#onDue(entry);
    }
    this.#arm();
  }
}
