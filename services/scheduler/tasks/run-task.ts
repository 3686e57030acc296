import type { JsMsg } from '@nats-io/jetstream';
import { check } from '../../../contracts/check.ts';
import { deadSubject, STREAMS, taskSubject } from '../../../contracts/subjects.ts';
import { TaskRunAnswer, TaskRunRequest } from '../../../contracts/task-api.ts';
import { deadLetter } from '../../../lib/nats/dead-letter.ts';
import type { Outcome } from '../../../lib/nats/outcome.ts';
import { request } from '../../../lib/nats/request.ts';
import type { EndedRun } from '../pure/end-run.ts';
import { IMPORT_TASK } from '../pure/start-run.ts';
import { endOne } from '../run-ends.ts';
import { type SchedulerDeps, transact } from '../transact.ts';
import type { TaskType, TaskTypes } from './task-type.ts';

/**
 * One run of a maintenance task, from its message to the outcome in its schedule. By a type of this process, else by
 * whoever has subscribed to `sms.task.<type>`. A dead process's run comes again.
 */
export async function runTask(
  deps: SchedulerDeps,
  tasks: TaskTypes,
  message: JsMsg,
  stopping: AbortSignal,
): Promise<Outcome> {
  const run = readRun(message);
  if (!run) {
    return deadLetter(deps.publisher, message, {
      stream: STREAMS.dead,
      subject: deadSubject(STREAMS.schedules, message.subject),
      reason: 'no run of a task: the body does not fit its schema',
    });
  }
  const doc = await deps.schedules.findOne({ _id: run.scheduleId }, { projection: { active: 1 } });
  // Its outcome is stored: only the acknowledgement was lost.
  if (!doc?.active.some(({ runId, deadlineAt }) => runId === run.runId && deadlineAt !== undefined))
    return 'ack';

  const endTimer = deps.metrics.taskSeconds.startTimer({ task: run.task });
  const end = await outcomeOf(deps, tasks.get(run.task), run, stopping);
  if (stopping.aborted && end.outcome === 'failed') return { nak: 1_000 };
  endTimer({ outcome: end.outcome });
  if (run.task === IMPORT_TASK && end.outcome === 'succeeded') await goOnAsBatch(deps, run);
  else await endOne(deps, run.scheduleId, end);
  return 'ack';
}

function readRun(message: JsMsg): TaskRunRequest | undefined {
  try {
    const checked = check(TaskRunRequest, message.json());
    return checked.ok ? checked.value : undefined;
  } catch {
    return undefined;
  }
}

async function outcomeOf(
  deps: SchedulerDeps,
  type: TaskType | undefined,
  run: TaskRunRequest,
  stopping: AbortSignal,
): Promise<EndedRun> {
  const { runId, timeoutMs } = run;
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(timeoutMs)]);
  try {
    const { nats, store, publisher, log, now } = deps;
    const answer = type
      ? {
          ok: true,
          result: await type.run({ run, store, nats, nc: nats.nc, publisher, log, nowMs: now(), signal }),
        }
      : await ask(deps, run, signal);
    if (!answer.ok) return { runId, outcome: 'failed', reason: answer.message ?? 'the task has failed' };
    return { runId, outcome: 'succeeded', result: answer.result };
  } catch (err) {
    deps.log.warn(
      { err, scheduleId: run.scheduleId, task: run.task, runId },
      'a maintenance task has failed',
    );
    return { runId, outcome: 'failed', reason: err instanceof Error ? err.message : String(err) };
  }
}

async function ask(
  { nats }: SchedulerDeps,
  run: TaskRunRequest,
  signal: AbortSignal,
): Promise<TaskRunAnswer> {
  const answer = await request<unknown>(nats.nc, taskSubject(run.task), run, {
    deadlineMs: run.timeoutMs,
    waitForService: true,
    signal,
  });
  const checked = check(TaskRunAnswer, answer);
  if (checked.ok) return checked.value;
  return { ok: false, message: `the answer is none: {"ok": true, "result": …} is expected` };
}

/** The upload is imported and its batch created: from here on the run is the batch. */
async function goOnAsBatch(deps: SchedulerDeps, { scheduleId, runId }: TaskRunRequest): Promise<void> {
  await transact(deps, scheduleId, (doc) => {
    if (!doc?.active.some((each) => each.runId === runId && each.deadlineAt !== undefined)) return undefined;
    const active = doc.active.map(({ deadlineAt, ...rest }) =>
      rest.runId === runId
        ? { ...rest, since: deps.now() }
        : { ...rest, ...(deadlineAt !== undefined && { deadlineAt }) },
    );
    return { doc: { ...doc, revision: doc.revision + 1, active, updatedAt: deps.now() }, causes: [] };
  });
}
