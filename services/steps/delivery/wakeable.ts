export interface Wakeable {
  wake(): void;
  /** Resolves at the next wake, or at once when there was one since the last wait; or after `ms`. */
  wait(ms?: number): Promise<void>;
}

/** A condition that is looked at again whenever something may have changed it; wakes are never lost. */
export function wakeable(): Wakeable {
  let woken = false;
  let waiter: (() => void) | undefined;
  return {
    wake() {
      if (waiter) {
        const resume = waiter;
        waiter = undefined;
        resume();
      } else {
        woken = true;
      }
    },
    wait(ms) {
      if (woken) {
        woken = false;
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        const timer = ms === undefined ? undefined : setTimeout(() => this.wake(), ms);
        waiter = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
  };
}
