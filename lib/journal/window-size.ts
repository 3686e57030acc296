/** About this much sending goes into one window. */
export const WINDOW_MS = 100;
export const MAX_WINDOW_MESSAGES = 500;

/** How fast the size follows what was measured. */
const GROWTH = 2;

export interface WindowSizer {
  /** Messages for the next window. */
  readonly size: number;
  /** A window of `messages` took `elapsedMs` from its first message to its last. */
  sent(messages: number, elapsedMs: number): void;
  /** Nothing faster than this is possible (rate limits, in messages a second). */
  limit(perSecond: number | null): void;
}

/**
 * Sizes windows by time: the faster the sending, the more messages an intent may cover, so that what a crash leaves in
 * doubt is always about the same 100 ms. Grows and shrinks by two at most.
 */
export function windowSizer({ first = 50, most = MAX_WINDOW_MESSAGES } = {}): WindowSizer {
  let size = first;
  let ceiling = most;
  const clamp = (value: number) => Math.max(1, Math.min(ceiling, most, Math.round(value)));
  return {
    get size() {
      return clamp(size);
    },
    sent(messages, elapsedMs) {
      if (messages === 0) return;
      const fitting = elapsedMs <= 0 ? Number.POSITIVE_INFINITY : (messages * WINDOW_MS) / elapsedMs;
      // A window smaller than the size (the end of a chunk) says little about more than itself.
      const grown = Math.min(fitting, Math.max(size, messages * GROWTH));
      size = Math.max(size / GROWTH, Math.min(grown, most, size * GROWTH));
    },
    limit(perSecond) {
      ceiling = perSecond === null ? most : Math.max(1, (perSecond * WINDOW_MS) / 1000);
    },
  };
}
