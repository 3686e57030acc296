import { recount, republish } from './phases.ts';
import { setBack } from './set-back.ts';
import { settle } from './stopping.ts';
import { setReason, type Turn, transition } from './turn.ts';

/**
 * MongoDB was set back to an earlier copy (design: "Stores lost"). What was sent after the copy cannot be known, so nobody
 * who has no outcome is ever sent to again: the tasks of delivery are settled at once where it had begun, else when the
 * batch gets there. The batch stands until a person resumes it.
 *
 * Versions and epochs go on from the server's clock: whatever is out of the time after the copy (messages, answers,
 * figures) has lower ones.
 */
export function restore(turn: Turn): void {
  const { doc, at } = turn;
  doc.version = Math.max(doc.version, at);
  doc.epoch = Math.max(doc.epoch + 1, at);
  doc.progressAt = at;
  if (doc.finish) {
    // Sending was over and accounted in the copy.
    recount(turn);
    return;
  }
  if (doc.stopping?.to === 'Aborted' || doc.stopping?.to === 'Expired') {
    // Held in the copy, and nothing would have lifted that: only what was out has to be settled.
    republish(turn);
    return;
  }
  delete doc.stopping;
  doc.restored = { at, unknown: 0 };
  const reason = setBack(0);
  setReason(turn, reason);
  const { phase } = doc.state;
  if (phase === null) {
    transition(turn, 'Restore', { phase: null, status: 'Pending' });
    return;
  }
  const work = doc.work!;
  turn.hold = work.out.length > 0;
  if (phase !== 'delivery') {
    // Sends nothing: its tasks go on from the copy, in the epoch of the resume.
    work.yielded.push(...work.out);
    work.out = [];
    transition(turn, 'Restore', { phase, status: 'Paused' });
    return;
  }
  // All of them, also those that were done or not handed out in the copy; each is counted anew.
  const all = Array.from({ length: work.count }, (_, n) => n);
  doc.work = { ...work, next: work.count, out: all, yielded: [] };
  delete doc.totals.delivery;
  doc.stopping = { to: 'Paused', at, reason };
  transition(turn, 'Restore', { phase, status: 'Pausing' });
  republish(turn);
  settle(turn);
}
