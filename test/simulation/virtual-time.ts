import { seededRandom } from '../../lib/random/seeded-random.ts';
import { type Host, START_MS, type Timeline } from './timeline.ts';

/** A timer of the simulated world; in place of Node's. */
class VirtualTimer {
  readonly cancel: () => void;

  constructor(cancel: () => void) {
    this.cancel = cancel;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  refresh(): this {
    return this;
  }

  [Symbol.toPrimitive](): number {
    return 0;
  }
}

/** Anew in each step: what some code draws once a process, to fill a cache, moves nothing in the steps behind it. */
function chanceOfStep(timeline: Timeline): () => number {
  const seed = timeline.below(2 ** 32);
  let step = -1;
  let random = timeline.random;
  return () => {
    if (step !== timeline.steps) {
      step = timeline.steps;
      random = seededRandom(seed + step);
    }
    return random();
  };
}

type Callback = (...args: unknown[]) => void;

/**
 * Puts the timeline in the place of Node's clocks, timers and chance, for as long as the simulation runs: the product's code
 * runs as it is. A timer belongs to the process whose code has set it, and dies or freezes with it.
 * @returns puts Node's back
 */
export function useVirtualTime(timeline: Timeline): () => void {
  const real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    setInterval: globalThis.setInterval,
    clearInterval: globalThis.clearInterval,
    setImmediate: globalThis.setImmediate,
  };
  const { now: realNow } = Date;
  const { random: realRandom } = Math;
  const realPerformanceNow = performance.now;

  const once = (host: Host | undefined, callback: Callback, ms: number, args: unknown[]) =>
    new VirtualTimer(timeline.after(Math.max(1, ms || 0), () => callback(...args), host));

  function every(host: Host | undefined, callback: Callback, ms: number, args: unknown[]): VirtualTimer {
    let cancel = () => {};
    const next = () => {
      cancel = timeline.after(Math.max(1, ms), tick, host);
    };
    function tick() {
      next();
      callback(...args);
    }
    next();
    return new VirtualTimer(() => cancel());
  }

  const clear = (timer: unknown) => {
    if (timer instanceof VirtualTimer) timer.cancel();
    else real.clearTimeout(timer as NodeJS.Timeout);
  };
  Object.assign(globalThis, {
    setTimeout: (callback: Callback, ms = 0, ...args: unknown[]) =>
      once(timeline.current, callback, ms, args),
    setInterval: (callback: Callback, ms = 0, ...args: unknown[]) =>
      every(timeline.current, callback, ms, args),
    setImmediate: (callback: Callback, ...args: unknown[]) =>
      new VirtualTimer(timeline.after(0, () => callback(...args), timeline.current)),
    clearTimeout: clear,
    clearInterval: clear,
  });
  Date.now = () => Math.floor(timeline.nowMs);
  Math.random = chanceOfStep(timeline);
  performance.now = () => timeline.nowMs - START_MS + 1_000;
  return () => {
    Object.assign(globalThis, real);
    Date.now = realNow;
    Math.random = realRandom;
    performance.now = realPerformanceNow;
  };
}
