import type { Line, LineUser } from './provider.ts';
import type { ThrottleControl } from './throttle-control.ts';

/** While several tasks send, each gets this many parts before the next one's turn. */
const TURN_PARTS = 16;

export interface LineTurns {
  join(user: LineUser): void;
  leave(user: LineUser): void;
  /** A line has room. */
  offer(line: Line): void;
  /** Somebody has something to send. */
  wake(): void;
  stop(): void;
}

/**
 * Who sends next over which line: all users in turns, so that a large task never starves a small one. Holds everything
 * back while the carrier throttles.
 */
export function lineTurns(lines: () => readonly Line[], throttle: ThrottleControl): LineTurns {
  const users: LineUser[] = [];
  let next = 0;
  let woken = false;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  /** @returns false when the carrier's throttling, not the users, ended it */
  function serve(line: Line): boolean {
    let idle = 0;
    while (idle < users.length) {
      const room = line.room;
      if (room <= 0) return true;
      const allowance = throttle.allowance(performance.now());
      if (allowance < 1) return false;
      const user = users[next % users.length]!;
      const turn = users.length === 1 ? room : Math.min(room, TURN_PARTS);
      const sent = user.send(line, Math.min(turn, allowance));
      throttle.spend(sent);
      next = (next + 1) % Math.max(1, users.length);
      idle = sent > 0 ? 0 : idle + 1;
    }
    return true;
  }

  function later(): void {
    if (timer || stopped) return;
    const waitMs = Math.max(1, throttle.readyAtMs(performance.now()) - performance.now());
    timer = setTimeout(() => {
      timer = undefined;
      serveAll();
    }, waitMs);
  }

  function serveAll(): void {
    woken = false;
    if (stopped || users.length === 0) return;
    for (const line of lines()) {
      if (serve(line)) continue;
      later();
      return;
    }
  }

  return {
    join(user) {
      users.push(user);
    },
    leave(user) {
      const at = users.indexOf(user);
      if (at >= 0) users.splice(at, 1);
      if (next >= users.length) next = 0;
    },
    offer(line) {
      if (!stopped && users.length > 0 && !serve(line)) later();
    },
    wake() {
      if (woken || stopped) return;
      woken = true;
      queueMicrotask(serveAll);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
