import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import {
  dueConsumerShape,
  runEndsConsumerShape,
  scheduleCommandConsumerShape,
  taskRunConsumerShape,
} from '../../contracts/streams.ts';
import { loopPart } from '../../lib/lifecycle/loop.ts';
import { type Part, part, together } from '../../lib/lifecycle/part.ts';
import { isTransient } from '../../lib/mongo/errors.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import { fetchLoop } from '../../lib/nats/fetch-loop.ts';
import { serveApi } from '../../lib/nats/micro.ts';
import { publisher as publisherOf } from '../../lib/nats/publish.ts';
import { pullLoop } from '../../lib/nats/pull-loop.ts';
import { ensureConsumer } from '../../lib/nats/streams.ts';
import type { Store } from '../../lib/store/collections.ts';
import { scheduleEndpoints } from './api.ts';
import { obeyCommand } from './commands.ts';
import type { SchedulerConfig } from './config.ts';
import { createDefaults } from './defaults.ts';
import { fireDue } from './fire-due.ts';
import { schedulerMetrics } from './metrics.ts';
import type { OperationDeps } from './operations.ts';
import { endRunsOf } from './run-ends.ts';
import { schedulesOf } from './schedule-store.ts';
import { scheduleSweep } from './sweep.ts';
import { runTask } from './tasks/run-task.ts';
import { serveTasks } from './tasks/serve-tasks.ts';
import type { TaskTypes } from './tasks/task-type.ts';

export interface SchedulerParts {
  nats: Nats;
  store: Store;
  registry: Registry;
  log: Logger;
  version: string;
  config: SchedulerConfig;
  tasks: TaskTypes;
  /** ms since 1970; a test sets it back. */
  now?: () => number;
  sweepEveryMs?: number;
}

/** Timers that are decided in one bulk, and how long the first waits for the others. */
const DUE_A_GROUP = 500;
const DUE_LINGER_MS = 10;
/** Loops beside one another: while one waits for the store, the other publishes. */
const DUE_LOOPS = 2;
const ENDS_A_GROUP = 200;
const ENDS_LINGER_MS = 50;
const SWEEP_EVERY_MS = 10_000;
/** Stop waits for an idle pull so long. */
const PULL_MS = 2_000;

/**
 * Consumes what is due (SMS_SCHEDULES), commands to schedules, runs of tasks, and the ends of batches (SMS_EVENTS). Holds no
 * schedule: the server keeps the timers, MongoDB the documents.
 */
export function startScheduler(parts: SchedulerParts): Part {
  const { nats, store, registry, log, version, config, tasks } = parts;
  return part('scheduler', async ({ run }) => {
    const deps: OperationDeps = {
      nats,
      store,
      schedules: schedulesOf(store.db),
      publisher: publisherOf(nats),
      metrics: schedulerMetrics(registry),
      log,
      now: parts.now ?? Date.now,
      subjects: config.SCHEDULER_SUBJECTS,
      tasks,
    };
    const consumerOf = async ({ stream, ...consumer }: ReturnType<typeof dueConsumerShape>) => {
      const ensure = () => ensureConsumer(nats.jsm, stream, consumer);
      await ensure();
      return { nats, stream, consumer: consumer.durable_name, log, ensure, expiresMs: PULL_MS };
    };
    const due = await consumerOf(dueConsumerShape());
    const commands = await consumerOf(scheduleCommandConsumerShape());
    const runs = await consumerOf(taskRunConsumerShape());
    const ends = await consumerOf(runEndsConsumerShape());
    await createDefaults(deps);

    await run(serveTasks(deps, tasks, log));
    await run(
      together('schedules', [
        ...Array.from({ length: DUE_LOOPS }, () =>
          fetchLoop({
            ...due,
            maxMessages: DUE_A_GROUP,
            lingerMs: DUE_LINGER_MS,
            handle: (messages) => fireDue(deps, messages),
          }),
        ),
        pullLoop({ ...commands, handle: (message) => obeyCommand(deps, message) }),
        pullLoop({
          ...runs,
          concurrency: config.SCHEDULER_TASKS_AT_ONCE,
          handle: (message, stopping) => runTask(deps, tasks, message, stopping),
        }),
        fetchLoop({
          ...ends,
          maxMessages: ENDS_A_GROUP,
          lingerMs: ENDS_LINGER_MS,
          handle: (messages) => endRunsOf(deps, messages),
        }),
        loopPart('schedule sweep', scheduleSweep(deps), {
          log,
          pauseMs: parts.sweepEveryMs ?? SWEEP_EVERY_MS,
        }),
      ]),
    );
    await run(
      serveApi(nats.nc, {
        name: 'smsbatch-scheduler',
        version,
        description: 'Schedules',
        endpoints: scheduleEndpoints(deps),
        log,
        unavailable: isTransient,
      }),
    );
  });
}
