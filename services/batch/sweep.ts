import type { JetStreamManager } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { commandSubject, STREAMS, stepSubject } from '../../contracts/subjects.ts';
import { loop } from '../../lib/lifecycle/loop.ts';
import { type Part, part } from '../../lib/lifecycle/part.ts';
import type { Publisher } from '../../lib/nats/publish.ts';
import type { Store } from '../../lib/store/collections.ts';
import type { TaskDocument } from '../../lib/store/task-document.ts';

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
  const projection = { version: 1, incarnation: 1, wakeAt: 1, epoch: 1 };
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
    const newest = await tasks
      .find(
        { batchId: doc._id, incarnation: doc.incarnation, epoch: doc.epoch },
        { projection: { progressAt: 1 } },
      )
      .sort({ progressAt: -1 })
      .limit(1)
      .next();
    await reconcile(deps, doc._id, doc.version, newest ? { progressAt: newest.progressAt } : {});
  }
}

/** Tasks that are out, silent, and whose message is in the stream no more: the stream was lost or set back. */
async function findMissing(deps: SweepDeps): Promise<void> {
  const silent = await deps.store.tasks
    .find({ out: true, progressAt: { $lte: Date.now() - SILENT_AFTER_MS } })
    .sort({ progressAt: 1 })
    .limit(A_SWEEP)
    .toArray();
  const batches = new Set<string>();
  for (const task of silent) {
    if (!batches.has(task.batchId) && (await isMissing(deps.jsm, task))) batches.add(task.batchId);
  }
  for (const batchId of batches) {
    const doc = await deps.store.batches.findOne({ _id: batchId }, { projection: { version: 1 } });
    if (!doc) continue;
    deps.log.warn({ batchId }, 'a task is out but has no message: the batch is reconciled');
    await reconcile(deps, batchId, doc.version, {});
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
