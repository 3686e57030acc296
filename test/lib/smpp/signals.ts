/** Values that come in one by one, to be waited for: tests wait on what happened, never for a while. */
export class Signals<V> {
  readonly all: V[] = [];
  #waiters: { matches: (value: V) => boolean; resolve: (value: V) => void }[] = [];

  push(value: V): void {
    this.all.push(value);
    const waiting = this.#waiters.filter((waiter) => waiter.matches(value));
    this.#waiters = this.#waiters.filter((waiter) => !waiting.includes(waiter));
    for (const { resolve } of waiting) resolve(value);
  }

  /** The first value that matches, of those to come or of those already here. */
  async first(what: string, matches: (value: V) => boolean, timeoutMs = 5000): Promise<V> {
    const found = this.all.find(matches);
    return found ?? this.next(what, matches, timeoutMs);
  }

  next(what: string, matches: (value: V) => boolean = () => true, timeoutMs = 5000): Promise<V> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new Error(`no ${what} within ${timeoutMs} ms; there were ${JSON.stringify(this.all.slice(-10))}`),
          ),
        timeoutMs,
      );
      const done = (value: V): void => {
        clearTimeout(timer);
        resolve(value);
      };
      this.#waiters.push({ matches, resolve: done });
    });
  }

  async count(what: string, count: number, timeoutMs = 5000): Promise<V[]> {
    while (this.all.length < count)
      await this.next(`${what} number ${this.all.length + 1}`, undefined, timeoutMs);
    return this.all;
  }
}
