import type { JetStreamManager } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { commandSubject, STREAMS, stepSubject } from '../../contracts/subjects.ts';
import { loop } from '../../lib/lifecycle/loop.ts';
import { type Part, part } from '../../lib/lifecycle/part.ts';
import type { Publisher } from '../../lib/nats/publish.ts';
import type { Store } from '../../lib/store/collections.ts';
import type { TaskDocument } from '../../lib/store/task-document.ts';
import { batchesAtWork, TASKS_OUT_FIELDS, tasksOutOf } from '../../lib/tasks/tasks-out.ts';

const SWEEP_EVERY_MS = 1_000;
/** An outbox is published within milliseconds of its write; later than this, its host has died in between. */
const UNPUBLISHED_AFTER_MS = 5_000;
/** Messages of tasks are looked for this often, and only of tasks that have been silent for as long. */
const MISSING_EVERY_MS = 10_000;
const SILENT_AFTER_MS = 10_000;
/** A sweep looks at this much; what is left is found by the next one. */
const A_SWEEP = 200;
/** Hosts that sweep at the same time send one reconcile between them. */
const SLOT_MS = 5_000;

export interface SweepDeps {
  store: Store;
  jsm: JetStreamManager;
  publisher: Publisher;
  log: Logger;
}

/**
 * JetStream is never the only copy: finds passed deadlines, unpublished outboxes and tasks that are out but exist in no
 * message, and asks the actor to look again. Decides nothing itself; every host runs it.
 */
export function sweep(deps: SweepDeps): Part {
  return part('sweep', ({ signal, defer }) => {
    let missingAt = 0;
    const round = async () => {
      await wakeDue(deps);
      if (performance.now() - missingAt < MISSING_EVERY_MS) return;
      missingAt = performance.now();
      await findMissing(deps);
    };
    const running = loop('sweep', round, signal, { log: deps.log, pauseMs: SWEEP_EVERY_MS });
    defer(() => running);
  });
}

async function wakeDue(deps: SweepDeps): Promise<void> {
  const nowMs = Date.now();
  const { batches, tasks } = deps.store;
  const projection = TASKS_OUT_FIELDS;
  const [due, unpublished] = await Promise.all([
    batches
      .find({ wakeAt: { $lte: nowMs } }, { projection })
      .limit(A_SWEEP)
      .toArray(),
    batches
      .find({ unpublished: true, updatedAt: { $lte: nowMs - UNPUBLISHED_AFTER_MS } }, { projection })
      .limit(A_SWEEP)
      .toArray(),
  ]);
  for (const doc of new Map([...unpublished, ...due].map((each) => [each._id, each])).values()) {
    const out = await tasks
      .find({ _id: { $in: tasksOutOf(doc) } }, { projection: { progressAt: 1 } })
      .toArray();
    const progressAt = Math.max(...out.map((task) => task.progressAt));
    await reconcile(deps, doc._id, doc.version, Number.isFinite(progressAt) ? { progressAt } : {});
  }
}

/**
 * Tasks that are out, silent, and whose message is in the stream no more: the stream was lost or set back. Also those
 * that are done by their own document: their answer was lost, and is given again when they are handed out again.
 */
async function findMissing(deps: SweepDeps): Promise<void> {
  const silentSince = Date.now() - SILENT_AFTER_MS;
  for (const batch of await batchesAtWork(deps.store, A_SWEEP)) {
    const silent = await deps.store.tasks
      .find({ _id: { $in: tasksOutOf(batch) }, progressAt: { $lte: silentSince } })
      .toArray();
    for (const task of silent) {
      if (!(await isMissing(deps.jsm, task))) continue;
      deps.log.warn({ batchId: batch._id }, 'a task is out but has no message: the batch is reconciled');
      await reconcile(deps, batch._id, batch.version, {});
      break;
    }
  }
}

/** Asked of the leader: a replica may be seconds behind. */
async function isMissing(jsm: JetStreamManager, { step, batchId, n, epoch }: TaskDocument): Promise<boolean> {
  const subject = stepSubject(step, batchId, n, epoch);
  return (await jsm.streams.getMessage(STREAMS.steps, { last_by_subj: subject })) === null;
}

async function reconcile(deps: SweepDeps, batchId: string, version: number, body: object): Promise<void> {
  await deps.publisher.publish({
    subject: commandSubject(batchId, 'reconcile'),
    stream: STREAMS.commands,
    msgId: `reconcile:${batchId}:${version}:${Math.floor(Date.now() / SLOT_MS)}`,
    body,
  });
}
