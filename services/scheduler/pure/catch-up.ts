import type { CATCH_UPS } from '../../../contracts/schedule.ts';

export interface Late {
  policy: (typeof CATCH_UPS)[number];
  windowMs: number;
  /** The due time that was armed. */
  dueAt: number;
  nowMs: number;
  /** The due time after another, whatever the time is now. */
  nextAfter: (dueAt: number) => number | undefined;
  /** When a due time fires: with its jitter. */
  fireAt: (dueAt: number) => number;
}

export interface CaughtUp {
  /** The due time that runs now; undefined: it is too late for all of them. */
  run: number | undefined;
  /** Due times that are passed over, from the first to the last of them. */
  missed?: { from: number; to: number };
}

const LOOK_BACK_MS = [60_000, 3_600_000, 24 * 3_600_000];

/** Of the due times from the armed one until now: which one runs, and which are missed. */
export function catchUp(late: Late): CaughtUp {
  const { policy, windowMs, dueAt, nowMs, nextAfter, fireAt } = late;
  const earliest = nowMs - windowMs;
  const inWindow = (due: number) => fireAt(due) >= earliest;
  if (policy === 'all') {
    if (inWindow(dueAt)) return { run: dueAt };
    // Those still inside the window come one by one, each armed at a time that has passed.
    return { run: undefined, missed: { from: dueAt, to: lastBefore(late, earliest) ?? dueAt } };
  }
  const last = lastBefore(late, nowMs) ?? dueAt;
  if (!inWindow(last)) return { run: undefined, missed: { from: dueAt, to: last } };
  if (last === dueAt) return { run: dueAt };
  return { run: last, missed: { from: dueAt, to: previous(late, last, nextAfter) } };
}

/** The last due time that has fired before an instant. Looked for from the end: a spec of seconds may be days behind. */
function lastBefore({ dueAt, nextAfter, fireAt }: Late, beforeMs: number): number | undefined {
  for (const back of [...LOOK_BACK_MS, Number.POSITIVE_INFINITY]) {
    const from = Math.max(dueAt, beforeMs - back);
    let last: number | undefined;
    for (let due = nextAfter(from - 1); due !== undefined && due <= beforeMs; due = nextAfter(due)) {
      if (due >= dueAt && fireAt(due) <= beforeMs) last = due;
    }
    if (last !== undefined || from === dueAt) return last;
  }
  return undefined;
}

function previous(late: Late, due: number, nextAfter: Late['nextAfter']): number {
  const before = lastBefore({ ...late, fireAt: (each) => each }, due - 1);
  return before ?? nextAfter(late.dueAt - 1) ?? late.dueAt;
}
