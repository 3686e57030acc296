import type { JsMsg } from '@nats-io/jetstream';
import { taskId } from '../../contracts/ids.ts';
import type { StepTask } from '../../contracts/steps.ts';
import { stepConsumerShape } from '../../contracts/streams.ts';
import { deadSubject, STREAMS } from '../../contracts/subjects.ts';
import { backoffMs } from '../../lib/lifecycle/backoff.ts';
import { type Part, part } from '../../lib/lifecycle/part.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import { deadLetter } from '../../lib/nats/dead-letter.ts';
import type { Outcome } from '../../lib/nats/outcome.ts';
import { type PullLoop, pullLoop } from '../../lib/nats/pull-loop.ts';
import { ensureConsumer, type WantedConsumer } from '../../lib/nats/streams.ts';
import { holderLives } from '../../lib/tasks/holder-lives.ts';
import type { Step } from './step.ts';
import { parseTask } from './task-message.ts';
import { type Workshop, workOnTask } from './work-on-task.ts';

export interface RunnerOptions extends Workshop {
  nats: Nats;
  step: Step;
  /** Tasks at once; overrides the step's own. */
  concurrency?: number | undefined;
  /** The longest that stop waits for an idle pull, ms. */
  expiresMs?: number | undefined;
}

/** A message that cannot be read is tried this often, then lies among the dead letters. */
const POISON_TRIES = 3;
const BACKOFF = { firstMs: 500, capMs: 10_000 };

export interface Runner extends Part {
  readonly type: string;
  /** For readiness: why no pull works at the moment, or undefined. */
  failing(): string | undefined;
}

/** Pulls the tasks of one step type and works on them. */
export function runner(options: RunnerOptions): Runner {
  const { nats, step, log, publisher } = options;
  const { stream, ...wanted } = stepConsumerShape(step.type);
  const ensure = () => ensureConsumer(nats.jsm, stream, wanted as WantedConsumer);

  const loop: PullLoop = pullLoop({
    nats,
    stream,
    consumer: wanted.durable_name,
    log,
    ensure,
    concurrency: options.concurrency ?? step.concurrency ?? 1,
    ...(options.expiresMs !== undefined && { expiresMs: options.expiresMs }),
    handle,
    // A server that does not answer, or a fault of ours: the task comes back, the batch does not fail for it.
    onError: (_error, message) => ({ nak: Math.round(backoffMs(message.info.deliveryCount, BACKOFF)) }),
  });

  async function handle(message: JsMsg, stopping: AbortSignal): Promise<Outcome> {
    const parsed = parseTask(message);
    if (parsed.ok) {
      if (await isInGoodHands(parsed.task, stopping)) return 'leave';
      if (stopping.aborted) return { nak: 0 };
      return workOnTask(options, step, parsed.task, message, stopping);
    }
    const { deliveryCount } = message.info;
    log.warn({ subject: message.subject, seq: message.seq, reason: parsed.reason, deliveryCount }, 'poison');
    if (deliveryCount < POISON_TRIES) return { nak: 0 };
    const subject = deadSubject(STREAMS.steps, message.subject);
    return deadLetter(publisher, message, { stream: STREAMS.dead, subject, reason: parsed.reason });
  }

  /** Left as it is, its holder goes on saying that it works on it, and acknowledges it at the end. */
  async function isInGoodHands(task: StepTask, stopping: AbortSignal): Promise<boolean> {
    const { batchId, incarnation, step: type, task: n, epoch } = task;
    const id = taskId(batchId, incarnation, type, n);
    const lives = await holderLives(options.store.tasks, { id, epoch }, stopping);
    if (lives) log.info({ batchId, task: n, epoch }, 'the task came back, its holder lives: left to it');
    return lives;
  }

  const running = part(`step ${step.type}`, async ({ run }) => {
    await ensure();
    await run(loop);
  });
  return { ...running, type: step.type, failing: loop.failing };
}
