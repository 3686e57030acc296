import type { Logger } from 'pino';
import type { StepTask } from '../../contracts/steps.ts';
import { eventSubject, STREAMS } from '../../contracts/subjects.ts';
import type { Publisher } from '../../lib/nats/publish.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import type { Store } from '../../lib/store/collections.ts';
import type { TaskDocument } from '../../lib/store/task-document.ts';
import { advanceTask, stillOurs, type TaskChanges } from '../../lib/tasks/take.ts';
import type { ProgressReport, RefusedWrite, StepContext } from './step.ts';

export interface ContextOptions {
  task: TaskDocument;
  message: StepTask;
  batch: BatchDocument;
  store: Store;
  publisher: Publisher;
  log: Logger;
  signal: AbortSignal;
  progressEveryMs: number;
  onRefused(write: RefusedWrite): void;
}

/** The context of one task, and how to publish the last of its progress once it has ended. */
export function stepContext(options: ContextOptions): { context: StepContext; flush: () => Promise<void> } {
  const { task, message, batch, store, publisher, log, signal, progressEveryMs } = options;
  let waiting: ProgressReport | undefined;
  let publishedAt = Number.NEGATIVE_INFINITY;
  let publishing: Promise<void> = Promise.resolve();

  /** Absolute and versioned: one that is lost is made good by the next. */
  async function publish(report: ProgressReport): Promise<void> {
    try {
      await publisher.publish({
        stream: STREAMS.events,
        subject: eventSubject(message.batchId, 'task-progress'),
        msgId: `${task._id}.p${report.version}`,
        body: {
          batchId: message.batchId,
          incarnation: message.incarnation,
          at: new Date().toISOString(),
          step: message.step,
          task: message.task,
          epoch: message.epoch,
          ...report,
        },
        deadlineMs: 2_000,
        signal,
      });
    } catch (err) {
      log.debug({ err, progressVersion: report.version }, 'progress was not published');
    }
  }

  function progress(report: ProgressReport): void {
    if (waiting && waiting.version > report.version) return;
    waiting = report;
    const now = performance.now();
    if (now - publishedAt < progressEveryMs) return;
    publishedAt = now;
    waiting = undefined;
    publishing = publish(report);
  }

  async function flush(): Promise<void> {
    await publishing;
    const last = waiting;
    waiting = undefined;
    if (last) await publish(last);
  }

  const context: StepContext = {
    task,
    message,
    batch,
    store,
    log,
    signal,
    progress,
    refused: options.onRefused,
    async guard(changes?: TaskChanges) {
      if (!changes) return stillOurs(store.tasks, task);
      const { run, progressVersion } = await advanceTask(store.tasks, task, changes, Date.now());
      if (run === 'lost') options.onRefused('progress');
      if (run !== 'lost' && changes.counts) {
        const { counts, segments } = changes;
        progress({ version: progressVersion, counts, ...(segments !== undefined && { segments }) });
      }
      return run;
    },
  };
  return { context, flush };
}
