import type { Logger } from 'pino';
import { taskId } from '../../contracts/ids.ts';
import type { StepResult, StepTask } from '../../contracts/steps.ts';
import { withTimeout } from '../../lib/lifecycle/deadline.ts';
import type { Outcome } from '../../lib/nats/outcome.ts';
import type { Publisher } from '../../lib/nats/publish.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import type { Store } from '../../lib/store/collections.ts';
import type { TaskDocument } from '../../lib/store/task-document.ts';
import { completeTask, releaseTask, takeTask, yieldTask } from '../../lib/tasks/take.ts';
import { type Answer, type Carrier, failed, publishAnswer } from './answer.ts';
import { stepContext } from './context.ts';
import type { StepMetrics } from './metrics.ts';
import { type RefusedWrite, type Step, StepFailure, type StepOutcome } from './step.ts';

export interface Workshop {
  store: Store;
  publisher: Publisher;
  metrics: StepMetrics;
  log: Logger;
  /** Who takes the tasks: shown in their documents. */
  holder: string;
  progressEveryMs: number;
}

const RELEASE_WITHIN_MS = 1_000;

/** How a task ended here, and what becomes of its message. */
interface Ended {
  as: 'done' | 'failed' | 'yielded' | 'lost' | 'left';
  told: Outcome;
}

/**
 * One task from its message to its answer: take, run or settle, store the end, answer, ack. A crash between any two of
 * these is repaired by the message's coming back.
 * @throws what is no fault of the batch: the task has to come back
 */
export async function workOnTask(
  workshop: Workshop,
  step: Step,
  message: StepTask,
  carrier: Carrier,
  signal: AbortSignal,
): Promise<Outcome> {
  const { store, publisher, metrics, holder } = workshop;
  const { batchId, incarnation, task: n, epoch } = message;
  const id = taskId(batchId, incarnation, step.type, n);
  const log = workshop.log.child({ batchId, task: n, epoch });
  const answer = async (told: Answer): Promise<Outcome> => {
    await publishAnswer(publisher, message, told, carrier);
    return 'ack';
  };

  const batch = await store.batches.findOne({ _id: batchId, incarnation });
  // Before the take: a task of a batch that is gone must not look as if somebody held it.
  if (!batch) return 'ack';
  const taken = await takeTask(store.tasks, { id, epoch, holder });
  switch (taken.kind) {
    case 'stale':
      log.debug('dropped a task of another epoch');
      return 'ack';
    case 'done':
      return answer({ verb: 'step-done', body: resultOf(taken.task) });
    case 'yielded':
      return answer({ verb: 'step-yielded', body: resultOf(taken.task) });
    case 'taken':
    case 'held':
      return measured(taken.task, batch, taken.kind);
  }

  async function measured(
    task: TaskDocument,
    loaded: BatchDocument,
    kind: 'taken' | 'held',
  ): Promise<Outcome> {
    metrics.tasksInHand.inc({ step: step.type });
    const endTask = metrics.taskSeconds.startTimer({ step: step.type });
    let outcome: Ended['as'] | 'returned' = 'returned';
    try {
      const ended = await onTaken(task, loaded, kind);
      outcome = ended.as;
      return ended.told;
    } finally {
      endTask({ outcome });
      if (outcome === 'left' || outcome === 'returned') await release(task);
      metrics.tasksInHand.dec({ step: step.type });
    }
  }

  async function release(task: TaskDocument): Promise<void> {
    try {
      await withTimeout(releaseTask(store.tasks, task), RELEASE_WITHIN_MS, 'giving a task back');
    } catch (err) {
      log.info({ err }, 'the task still names its holder: the next one will wait a moment');
    }
  }

  async function onTaken(task: TaskDocument, loaded: BatchDocument, kind: 'taken' | 'held'): Promise<Ended> {
    const onRefused = (write: RefusedWrite) => metrics.writesRefused.inc({ step: step.type, write });
    const { context, flush } = stepContext({
      ...workshop,
      task,
      message,
      batch: loaded,
      log,
      signal,
      onRefused,
    });
    let outcome: StepOutcome;
    try {
      outcome = kind === 'taken' ? await step.run(context) : await settle();
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      log.info({ code: error.code, reason: error.message }, 'step failed');
      const told = await answer(failed(error.code, error.message, error.findings));
      // Behind the answer: before it, a crash between the two would make of the failure a mere stop.
      await yieldTask(store.tasks, task, {});
      return { as: 'failed', told };
    } finally {
      await flush();
    }
    return end(task, outcome, onRefused);

    async function settle(): Promise<StepOutcome> {
      const result = step.settle ? await step.settle(context) : (task.result as StepResult | undefined);
      return { kind: 'yielded', ...(result && { result }) };
    }
  }

  async function end(
    task: TaskDocument,
    outcome: StepOutcome,
    onRefused: (write: RefusedWrite) => void,
  ): Promise<Ended> {
    const lost = () => {
      onRefused('end');
      return end(task, { kind: 'lost' }, onRefused);
    };
    switch (outcome.kind) {
      case 'lost':
        log.warn('someone else has the task: left without a word');
        return { as: 'lost', told: 'leave' };
      case 'left':
        return { as: 'left', told: { nak: 0 } };
      case 'done': {
        if (!(await completeTask(store.tasks, task, storedEnd(outcome.result)))) return lost();
        const told = await answer({ verb: 'step-done', body: withResult(outcome.result) });
        if (outcome.forget) await store.tasks.deleteOne({ _id: id, ownerSeq: task.ownerSeq });
        return { as: 'done', told };
      }
      case 'yielded': {
        if (!(await yieldTask(store.tasks, task, storedEnd(outcome.result)))) return lost();
        const { stop } = outcome;
        const body = { ...withResult(outcome.result), ...(stop && { stop }) };
        return { as: 'yielded', told: await answer({ verb: 'step-yielded', body }) };
      }
    }
  }
}

const withResult = (result: StepResult | undefined) => (result ? { result } : {});

const resultOf = ({ result }: TaskDocument) => withResult(result as StepResult | undefined);

function storedEnd(result: StepResult | undefined) {
  return {
    ...(result && { result: { ...result } }),
    ...(result?.counts && { counts: result.counts }),
    ...(result?.segments !== undefined && { segments: result.segments }),
  };
}
