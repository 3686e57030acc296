import type { CommandBody } from '../../../contracts/commands.ts';
import { isFinal, stateName } from '../../../contracts/states.ts';
import type { BatchDocument, Reason } from '../../../lib/store/batch-document.ts';
import { passed } from './answers.ts';
import { type Decision, type Facts, rejected } from './decision.ts';
import { finish, goOn, nextStep, startChain } from './phases.ts';
import { inPhase, resume as resumePhase, retryPhase, settle, stop } from './stopping.ts';
import { setReason, type Turn, transition } from './turn.ts';

/** A batch that is later than this is not started by itself: a late campaign is worse than none. */
const CATCH_UP_MS = 15 * 60_000;

export const forbids = (doc: BatchDocument, verb: string, allowed: string): Decision =>
  rejected('state-forbids', `${verb} is not possible in ${stateName(doc.state)}.`, [
    { field: 'state', value: stateName(doc.state), expected: allowed },
  ]);

/** Starts the chain now, or arms it where `scheduleTime` lies ahead. */
export function startOrSchedule(turn: Turn, facts: Facts): Decision | undefined {
  const { doc, at } = turn;
  if (facts.chain && facts.chain.findings.length > 0) {
    return rejected('invalid', 'The chain of steps does not hold.', facts.chain.findings);
  }
  if (facts.chain) doc.steps = facts.chain.steps;
  const { scheduleTime, notAfter } = doc.definition;
  if (notAfter !== undefined && at >= Date.parse(notAfter)) {
    return rejected('invalid', 'notAfter has passed.', [
      { field: 'notAfter', value: notAfter, expected: 'a time that lies ahead' },
    ]);
  }
  if (nextStep(doc, 0) === undefined) {
    return rejected('invalid', 'No step is left to run.', [
      {
        field: 'steps',
        value: doc.steps.map(({ type }) => type),
        expected: 'a step that is not passed over',
      },
    ]);
  }
  if (doc.state.status === 'Pending' && scheduleTime !== undefined && Date.parse(scheduleTime) > at) {
    setReason(turn, undefined);
    transition(turn, 'Schedule', { phase: null, status: 'Scheduled' });
    return undefined;
  }
  startChain(turn);
  return undefined;
}

/** scheduleTime has come. What stands in the way is told once, and the batch waits for its user. */
export function startDue(turn: Turn, facts: Facts): void {
  const { doc, at } = turn;
  const due = Date.parse(doc.definition.scheduleTime ?? '');
  if (at > due + CATCH_UP_MS) {
    const minutes = Math.round((at - due) / 60_000);
    unschedule(turn, {
      code: 'missed',
      message: `scheduleTime ${doc.definition.scheduleTime} was missed by ${minutes} minutes; start it by hand.`,
    });
    return;
  }
  const refusal = startOrSchedule(turn, facts);
  if (refusal?.kind !== 'rejected') return;
  unschedule(turn, refusal.error);
}

/** A batch that waited for its scheduleTime waits for its user. */
export function unschedule(turn: Turn, reason: Reason): void {
  setReason(turn, reason);
  transition(turn, 'Unschedule', { phase: null, status: 'Pending' });
}

export function start(turn: Turn, { steps }: CommandBody<'start'>, facts: Facts): Decision | undefined {
  const { doc } = turn;
  if (doc.state.phase !== null || (doc.state.status !== 'Pending' && doc.state.status !== 'Scheduled')) {
    return forbids(doc, 'start', 'Pending or Scheduled');
  }
  if (steps) doc.definition.steps = steps;
  return startOrSchedule(turn, facts);
}

export function pause(turn: Turn): Decision | undefined {
  const { doc } = turn;
  if (doc.finish) return forbids(doc, 'pause', 'a phase that runs; this is the last count');
  if (inPhase(doc.state, 'Paused')) return { kind: 'unchanged' };
  if (inPhase(doc.state, 'Pausing')) {
    // A resume that was kept is taken back: the last word counts.
    if (!doc.stopping?.resumeAfter) return { kind: 'unchanged' };
    delete doc.stopping.resumeAfter;
    return undefined;
  }
  if (doc.state.status === 'Scheduled') {
    unschedule(turn, pausedBy(turn));
    return undefined;
  }
  if (!inPhase(doc.state, 'Ready', 'Running'))
    return forbids(doc, 'pause', 'a phase that is Ready or Running, or a Scheduled batch');
  stop(turn, 'Paused', pausedBy(turn));
  return undefined;
}

const pausedBy = ({ meta }: Turn): Reason => ({
  code: 'paused',
  message: meta.reason ?? `paused${meta.operatorId ? ` by ${meta.operatorId}` : ''}`,
});

export function resume(turn: Turn, facts: Facts): Decision | undefined {
  const { doc } = turn;
  if (doc.state.status === 'Scheduled') return { kind: 'unchanged' };
  if (doc.state.status === 'Pending' && doc.reason?.code === 'paused') return startOrSchedule(turn, facts);
  if (doc.finish) return forbids(doc, 'resume', 'a phase that is Paused');
  if (inPhase(doc.state, 'Running')) return { kind: 'unchanged' };
  if (inPhase(doc.state, 'Pausing') && doc.stopping?.to === 'Paused') {
    if (doc.stopping.resumeAfter) return { kind: 'unchanged' };
    doc.stopping.resumeAfter = true;
    return undefined;
  }
  if (!inPhase(doc.state, 'Paused')) return forbids(doc, 'resume', 'a phase that is Paused');
  resumePhase(turn);
  return undefined;
}

export function retry(turn: Turn): Decision | undefined {
  const { doc } = turn;
  if (!inPhase(doc.state, 'Failed'))
    return forbids(doc, 'retry', 'a phase that is Failed, or a filter for a child batch');
  retryPhase(turn);
  return undefined;
}

export function abort(turn: Turn): Decision | undefined {
  const { doc } = turn;
  if (doc.state.status === 'Aborting') return { kind: 'unchanged' };
  if (isFinal(doc.state)) return forbids(doc, 'abort', 'a batch that has not ended');
  setReason(turn, { code: 'aborted', message: turn.meta.reason ?? 'aborted' });
  transition(turn, 'Abort', { phase: null, status: 'Aborting' });
  if (doc.finish) {
    // The count of an expired batch is under way: it ends as Aborted.
    doc.finish.to = 'Aborted';
    return undefined;
  }
  if ((doc.work?.out.length ?? 0) > 0) stop(turn, 'Aborted', doc.reason);
  else finish(turn, 'Aborted');
  return undefined;
}

/** notAfter has passed: nothing more leaves, what is pending expires. */
export function expire(turn: Turn): void {
  const { doc } = turn;
  const reason = passed(doc.definition.notAfter!);
  if ((doc.work?.out.length ?? 0) > 0) {
    stop(turn, 'Expired', reason);
    return;
  }
  setReason(turn, reason);
  finish(turn, 'Failed', 'Expire');
}

/** More tasks may be out now, or a stop can arrive. */
export function carryOn(turn: Turn): void {
  if (turn.doc.stopping) settle(turn);
  else if (inPhase(turn.doc.state, 'Running') && !turn.doc.finish) goOn(turn);
}
