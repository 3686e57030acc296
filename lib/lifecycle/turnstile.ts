/** Lets a number of tasks run at once; the rest wait in their order. */
export interface Turnstile {
  /** Runs the task when its turn comes; undefined when too many wait already. */
  run<T>(task: () => Promise<T>): Promise<T> | undefined;
  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void>;
}

export function turnstile(concurrency: number, maxWaiting: number): Turnstile {
  const waiting: (() => void)[] = [];
  let running = 0;
  let idlers: (() => void)[] = [];

  function next(): void {
    running--;
    waiting.shift()?.();
    if (running > 0) return;
    for (const resolve of idlers) resolve();
    idlers = [];
  }

  async function passing<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } finally {
      next();
    }
  }

  return {
    run(task) {
      if (running < concurrency) {
        running++;
        return passing(task);
      }
      if (waiting.length >= maxWaiting) return undefined;
      return new Promise<void>((resolve) => {
        waiting.push(() => {
          // Taken here, not when the promise's callback runs: else a newcomer could slip in between.
          running++;
          resolve();
        });
      }).then(() => passing(task));
    },
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => idlers.push(resolve))),
  };
}
