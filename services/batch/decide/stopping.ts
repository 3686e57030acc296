import type { BatchState } from '../../../contracts/states.ts';
import type { Stopping } from '../../../lib/store/batch-document.ts';
import { finish, goOn } from './phases.ts';
import { SET_BACK, setBack } from './set-back.ts';
import { setReason, type Turn, transition } from './turn.ts';

/** Whether a phase runs, and is in one of the statuses. */
export const inPhase = ({ phase, status }: BatchState, ...statuses: string[]): boolean =>
  phase !== null && statuses.includes(status);

/**
 * Leads the phase that runs to a stand: holds what is out, and goes where it has to once all of it has answered.
 * A stop that is under way gives way only to a stronger one: Paused < Failed < Expired < Aborted.
 */
export function stop(turn: Turn, to: Stopping['to'], reason?: Stopping['reason'], resumeAfter = false): void {
  const { doc } = turn;
  const strength: Record<Stopping['to'], number> = { Paused: 0, Failed: 1, Expired: 2, Aborted: 3 };
  const before = doc.stopping;
  if (!before || strength[to] > strength[before.to]) {
    doc.stopping = {
      to,
      at: before?.at ?? turn.at,
      ...(reason && { reason }),
      ...(resumeAfter && { resumeAfter }),
    };
  }
  setReason(turn, doc.stopping!.reason);
  turn.hold = (doc.work?.out.length ?? 0) > 0;
  if (inPhase(doc.state, 'Running', 'Ready')) {
    transition(turn, 'Pause', { phase: doc.state.phase!, status: 'Pausing' });
  }
  settle(turn);
}

/** Once nothing is out any more, the stop has arrived. */
export function settle(turn: Turn): void {
  const { doc } = turn;
  const stopping = doc.stopping;
  if (!stopping || (doc.work?.out.length ?? 0) > 0) return;
  switch (stopping.to) {
    case 'Paused': {
      delete doc.stopping;
      if (stopping.reason?.code === SET_BACK && doc.restored) setReason(turn, setBack(doc.restored.unknown));
      transition(turn, 'Paused', { phase: doc.state.phase!, status: 'Paused' });
      if (stopping.resumeAfter) resume(turn);
      return;
    }
    case 'Failed':
      delete doc.stopping;
      transition(turn, 'Fail', { phase: doc.state.phase!, status: 'Failed' });
      return;
    case 'Expired':
      finish(turn, 'Failed', 'Expire');
      return;
    case 'Aborted':
      finish(turn, 'Aborted');
      return;
  }
}

/** From Paused: a new epoch, so that no answer of the time before the pause is taken for one of now. */
export function resume(turn: Turn): void {
  goOnWith(turn, 'Resume');
}

export function retryPhase(turn: Turn): void {
  goOnWith(turn, 'Retry');
}

function goOnWith(turn: Turn, event: 'Resume' | 'Retry'): void {
  const { doc } = turn;
  doc.epoch += 1;
  doc.progressAt = turn.at;
  setReason(turn, undefined);
  transition(turn, event, { phase: doc.state.phase!, status: 'Running' });
  goOn(turn);
}
