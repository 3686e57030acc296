import type { BatchDefinition } from '../../../contracts/batch.ts';
import type { CommandBody } from '../../../contracts/commands.ts';
import type { Finding } from '../../../contracts/errors.ts';
import { stateName } from '../../../contracts/states.ts';
import { mayUpdate, UPDATE_PERMISSIONS, type UpdateWindow } from '../../../contracts/update-permissions.ts';
import { type Decision, type Facts, rejected } from './decision.ts';
import { carryOn, startOrSchedule, unschedule } from './lifecycle.ts';
import { emit, setReason, type Turn, transition } from './turn.ts';

const WINDOW_IN_WORDS: Record<UpdateWindow, string> = {
  never: 'a field that never changes',
  unstarted: 'a batch that has not started',
  unsent: 'a batch whose delivery has not begun',
  anytime: 'a batch that has not ended',
  always: 'any state',
};

/** Changes the fields that the state allows; all or none of them. */
export function update(turn: Turn, { patch }: CommandBody<'update'>, facts: Facts): Decision | undefined {
  const { doc } = turn;
  const fields = Object.keys(patch) as (keyof BatchDefinition)[];
  const frozen: Finding[] = fields
    .filter((field) => !mayUpdate(UPDATE_PERMISSIONS[field], doc.state, doc.deliveryBegan))
    .map((field) => ({
      field,
      value: patch[field],
      expected: `${WINDOW_IN_WORDS[UPDATE_PERMISSIONS[field]]}; this one is ${stateName(doc.state)}`,
    }));
  if (frozen.length > 0) return rejected('field-frozen', 'These fields cannot change any more.', frozen);
  if (facts.chain && facts.chain.findings.length > 0) {
    return rejected('invalid', 'The chain of steps does not hold.', facts.chain.findings);
  }
  const changed = fields.filter(
    (field) => JSON.stringify(doc.definition[field]) !== JSON.stringify(patch[field]),
  );
  if (changed.length === 0) return { kind: 'unchanged' };
  Object.assign(doc.definition, patch);
  if (facts.chain) doc.steps = facts.chain.steps;
  emit(turn, 'updated', { version: doc.version, fields: changed });
  if (changed.includes('ratePerSecond')) {
    turn.effects.push({ kind: 'rate', ratePerSecond: doc.definition.ratePerSecond ?? null });
  }
  if (changed.includes('maxConcurrency')) carryOn(turn);
  if (changed.includes('scheduleTime') || changed.includes('autoTrigger')) return reschedule(turn, facts);
  return undefined;
}

/** A Scheduled batch follows its scheduleTime; one with autoTrigger starts by itself, and without it no more. */
function reschedule(turn: Turn, facts: Facts): Decision | undefined {
  const { doc } = turn;
  const { autoTrigger, scheduleTime } = doc.definition;
  if (doc.state.status === 'Pending' && autoTrigger) {
    if (scheduleTime === undefined) return startOrSchedule(turn, facts);
    setReason(turn, undefined);
    transition(turn, 'Schedule', { phase: null, status: 'Scheduled' });
  } else if (doc.state.status === 'Scheduled' && autoTrigger === false) {
    unschedule(turn, { code: 'unscheduled', message: 'autoTrigger was switched off.' });
  }
  return undefined;
}
