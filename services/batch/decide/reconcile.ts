import type { CommandBody } from '../../../contracts/commands.ts';
import { isBuiltInStep, isFinal } from '../../../contracts/states.ts';
import type { Decision, Facts } from './decision.ts';
import { expire, startDue } from './lifecycle.ts';
import { finish, recount, republish } from './phases.ts';
import { restore } from './restore.ts';
import { settle, stop } from './stopping.ts';
import type { Turn } from './turn.ts';
import { FAILED_PHASE_DEADLINE_MS, progressDeadline, YIELD_DEADLINE_MS } from './wake.ts';

/** Looks again: what is due, what is stuck, what is out without a message. */
export function reconcile(turn: Turn, body: CommandBody<'reconcile'>, facts: Facts): Decision | undefined {
  const { doc, at } = turn;
  if (isFinal(doc.state)) return { kind: 'unchanged' };
  if (body.restored) {
    restore(turn);
    return undefined;
  }
  const progressed = body.progressAt !== undefined && body.progressAt > doc.progressAt;
  if (progressed) doc.progressAt = Math.min(body.progressAt!, at);

  const { notAfter } = doc.definition;
  if (
    notAfter !== undefined &&
    at >= Date.parse(notAfter) &&
    !doc.finish &&
    doc.state.status !== 'Aborting'
  ) {
    if (doc.stopping?.to !== 'Expired') {
      expire(turn);
      return undefined;
    }
  }
  if (doc.state.phase === null && doc.state.status === 'Scheduled') {
    const due = doc.definition.scheduleTime;
    if (due !== undefined && at < Date.parse(due)) return { kind: 'unchanged' };
    startDue(turn, facts);
    return undefined;
  }
  const deadline = progressDeadline(doc);
  if (deadline !== undefined && at >= deadline) {
    if (doc.finish) recount(turn);
    else stop(turn, 'Failed', stuck(doc.state.phase!, doc.steps[doc.stepIndex]!.timeoutMs));
    return undefined;
  }
  if (doc.stopping && at >= doc.stopping.at + YIELD_DEADLINE_MS && !isBuiltInStep(doc.work?.step ?? '')) {
    // A foreign program that never answers: its task is held and its epoch ends with the next resume.
    const work = doc.work!;
    work.yielded.push(...work.out);
    work.out = [];
    settle(turn);
    return undefined;
  }
  if (
    doc.state.phase !== null &&
    doc.state.status === 'Failed' &&
    at >= doc.stateSince + FAILED_PHASE_DEADLINE_MS
  ) {
    finish(turn, 'Failed', 'GiveUp');
    return undefined;
  }
  if (!progressed && (doc.work?.out.length ?? 0) === 0) return { kind: 'unchanged' };
  republish(turn);
  return undefined;
}

function stuck(phase: string, timeoutMs: number) {
  return {
    code: 'no-progress',
    message: `${phase} made no progress for ${Math.round(timeoutMs / 1000)} s; retry goes on where it stopped.`,
  };
}
