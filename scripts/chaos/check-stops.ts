import type { Attempt } from './attempts.ts';
import type { FaultDone } from './fault.ts';

/** A time in which nothing of a batch may leave. */
interface Silence {
  verb: 'pause' | 'abort';
  fromMs: number;
  toMs: number;
}

export interface LateSubmits {
  /** Pauses and aborts that were accepted while there was something to stop. */
  stops: number;
  lateAfterPause: number;
  lateAfterAbort: number;
  /** Caught between check and socket when their worker was frozen: one write of it, when it thaws (docs/reliability.md). */
  lateFromFrozen: number;
  /** The latest, after the acceptance. */
  latestMs: number;
}

/** The promise. */
const STOPPED_WITHIN_MS = 1_000;
/** What a worker that thaws has in its hands leaves at once. */
const THAW_MS = 500;
/** A call that nobody answered may be obeyed this long. */
const UNDECIDED_MS = 120_000;
/** What makes a batch go on. */
const GOES_ON = new Set(['resume', 'retry', 'clone', 'start']);

function silences(attempts: readonly Attempt[]): Silence[] {
  const found: Silence[] = [];
  const onward = attempts.filter(({ verb }) => GOES_ON.has(verb));
  for (const { verb, outcome, state, answeredAtMs: fromMs } of attempts) {
    if (outcome !== 'ok' || (verb !== 'pause' && verb !== 'abort')) continue;
    if (state !== undefined && !/Paus|Abort/.test(state)) continue;
    // A resume without an answer may have come into effect before, or may do so now.
    const mayGoOn = onward.some(
      (each) =>
        each.sentAtMs <= fromMs &&
        fromMs - each.sentAtMs < UNDECIDED_MS &&
        (each.outcome === 'unknown' || each.answeredAtMs > fromMs),
    );
    if (mayGoOn) continue;
    const later = onward.filter(({ sentAtMs }) => sentAtMs > fromMs).map(({ sentAtMs }) => sentAtMs);
    found.push({ verb, fromMs, toMs: Math.min(Number.POSITIVE_INFINITY, ...later) });
  }
  return found;
}

/** Submissions that the carrier saw later than a second after a pause or an abort was accepted. */
export function lateSubmits(
  attempts: readonly Attempt[],
  submittedAtMs: readonly number[],
  faults: readonly FaultDone[],
): LateSubmits {
  const late: LateSubmits = {
    stops: 0,
    lateAfterPause: 0,
    lateAfterAbort: 0,
    lateFromFrozen: 0,
    latestMs: 0,
  };
  for (const { verb, fromMs, toMs } of silences(attempts)) {
    late.stops += 1;
    for (const atMs of submittedAtMs) {
      if (atMs <= fromMs || atMs >= toMs) continue;
      const lateMs = atMs - fromMs - heldBackMs(faults, atMs);
      if (isThaw(faults, atMs) && lateMs > STOPPED_WITHIN_MS) {
        late.lateFromFrozen += 1;
        continue;
      }
      late.latestMs = Math.max(late.latestMs, lateMs);
      if (lateMs > STOPPED_WITHIN_MS) late[verb === 'pause' ? 'lateAfterPause' : 'lateAfterAbort'] += 1;
    }
  }
  return late;
}

/** What our own proxy has held back is no fault of the sender. */
function heldBackMs(faults: readonly FaultDone[], atMs: number): number {
  const held = faults.filter(
    ({ fromMs, toMs, carrierLateMs }) =>
      carrierLateMs !== undefined && fromMs <= atMs && atMs <= toMs + carrierLateMs,
  );
  return Math.max(0, ...held.map(({ carrierLateMs }) => carrierLateMs!));
}

const isThaw = (faults: readonly FaultDone[], atMs: number): boolean =>
  faults.some(({ kind, toMs }) => kind === 'freeze' && atMs >= toMs - THAW_MS && atMs <= toMs + THAW_MS);
