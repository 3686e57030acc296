import type { JsMsg } from '@nats-io/jetstream';
import { check } from '../../contracts/check.ts';
import { StepTask } from '../../contracts/steps.ts';
import { parseStepSubject } from '../../contracts/subjects.ts';

export type ParsedTask = { ok: true; task: StepTask } | { ok: false; reason: string };

/** Body and subject have to say the same: a task published on another's subject would be done twice or never. */
export function parseTask(message: Pick<JsMsg, 'subject' | 'data'>): ParsedTask {
  const subject = parseStepSubject(message.subject);
  if (!subject) return poison(`"${message.subject}" is no subject of a task`);
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(message.data));
  } catch (error) {
    return poison(`the body is not JSON: ${(error as Error).message}`);
  }
  const checked = check(StepTask, body);
  if (!checked.ok) {
    return poison(checked.errors.map(({ field, expected }) => `${field}: ${expected}`).join('; '));
  }
  const task = checked.value;
  const same =
    task.batchId === subject.batchId &&
    task.step === subject.type &&
    task.task === subject.n &&
    task.epoch === subject.epoch;
  return same ? { ok: true, task } : poison('the body names another task than the subject');
}

const poison = (reason: string): ParsedTask => ({ ok: false, reason });
