import type { Logger } from 'pino';
import { check } from '../../../contracts/check.ts';
import { taskSubject } from '../../../contracts/subjects.ts';
import { type TaskRunAnswer, TaskRunRequest } from '../../../contracts/task-api.ts';
import { type Part, part } from '../../../lib/lifecycle/part.ts';
import { readJsonObject } from '../../../lib/nats/json-body.ts';
import type { SchedulerDeps } from '../transact.ts';
import type { TaskTypes } from './task-type.ts';

/** A run that another process of the scheduler has taken, whose type only this one knows. */
export function serveTasks(deps: SchedulerDeps, tasks: TaskTypes, log: Logger): Part {
  const { nats, store, publisher, now } = deps;
  return part('tasks served', ({ defer, signal }) => {
    const running = new Set<Promise<void>>();
    for (const type of tasks.values()) {
      const subscription = nats.nc.subscribe(taskSubject(type.type), {
        queue: 'scheduler',
        callback: (error, message) => {
          if (error) return;
          const answering = answer(message.data).then((told) => void message.respond(JSON.stringify(told)));
          const settled = answering.catch((err) =>
            log.warn({ err }, 'the outcome of a task could not be told'),
          );
          running.add(settled);
          void settled.then(() => running.delete(settled));
        },
      });
      defer(() => Promise.all(running));
      defer(() => subscription.unsubscribe());

      async function answer(data: Uint8Array): Promise<TaskRunAnswer> {
        const read = readJsonObject(data);
        const checked = read.ok ? check(TaskRunRequest, read.body) : undefined;
        if (!checked?.ok) return { ok: false, message: 'no run of a task: the body does not fit its schema' };
        const run = checked.value;
        const until = AbortSignal.any([signal, AbortSignal.timeout(run.timeoutMs)]);
        try {
          const at = { nc: nats.nc, nowMs: now(), signal: until };
          return { ok: true, result: await type.run({ run, store, nats, publisher, log, ...at }) };
        } catch (error) {
          return { ok: false, message: error instanceof Error ? error.message : String(error) };
        }
      }
    }
  });
}
