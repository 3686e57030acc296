import type { MsgHdrs } from '@nats-io/transport-node';
import { check } from '../../contracts/check.ts';
import type { Finding } from '../../contracts/errors.ts';
import { taskId } from '../../contracts/ids.ts';
import {
  type StepDone,
  type StepFailed,
  StepResult,
  type StepTask,
  type StepYielded,
} from '../../contracts/steps.ts';
import { commandSubject, STREAMS } from '../../contracts/subjects.ts';
import { carriedFrom } from '../../lib/nats/carried-headers.ts';
import type { Publisher } from '../../lib/nats/publish.ts';

export type Answer =
  | { verb: 'step-done'; body: Pick<StepDone, 'result'> }
  | { verb: 'step-yielded'; body: Pick<StepYielded, 'result' | 'stop'> }
  | { verb: 'step-failed'; body: Pick<StepFailed, 'code' | 'message' | 'errors'> };

/** A command has at most 512 kB; a list of findings that nobody can read is cut. */
const MAX_FINDINGS = 500;

export const failed = (code: string, message: string, findings: readonly Finding[] = []): Answer => ({
  verb: 'step-failed',
  body: {
    code: code.slice(0, 64),
    message: message.slice(0, 2_000),
    ...(findings.length > 0 && { errors: findings.slice(0, MAX_FINDINGS) }),
  },
});

/** The message that a task came by. */
export interface Carrier {
  seq: number;
  headers?: MsgHdrs | undefined;
}

/**
 * Tells the batch what became of a task. Told again after a crash, it has the same message id within the stream's window
 * and is dropped by the actor after it: the task is not out any more. A task that was handed out anew, since its answer was
 * lost, is answered anew: under the old id the stream would still take it for a repetition.
 * @throws when the stream does not take it: the task has to come back
 */
export async function publishAnswer(
  publisher: Publisher,
  task: StepTask,
  answer: Answer,
  carrier: Carrier,
): Promise<void> {
  const { batchId, step, task: n, epoch, incarnation, requestId } = task;
  const { verb, body } = checkedAnswer(answer);
  const result = await publisher.publish({
    stream: STREAMS.commands,
    subject: commandSubject(batchId, verb),
    msgId: `${taskId(batchId, incarnation, step, n)}.${epoch}.${verb.slice('step-'.length)}.${carrier.seq}`,
    body: {
      step,
      task: n,
      epoch,
      incarnation,
      ...(requestId !== undefined && { requestId: requestId.slice(0, 128) }),
      ...body,
    },
    headers: carriedFrom(carrier.headers),
  });
  if (result.kind !== 'stored' && result.kind !== 'duplicate') {
    throw new Error(`${verb} of ${batchId} was not stored: ${result.kind}`);
  }
}

/** A custom step's result that fits no schema would be dead to the actor: the batch is told whose fault it is. */
function checkedAnswer(answer: Answer): Answer {
  if (answer.verb === 'step-failed' || answer.body.result === undefined) return answer;
  const checked = check(StepResult, answer.body.result);
  if (checked.ok) return answer;
  const findings = checked.errors.map((each) => ({ ...each, field: `result/${each.field}` }));
  return failed('invalid-result', 'The step answered with a result that does not fit its schema.', findings);
}
