import type { JetStreamManager } from '@nats-io/jetstream';
import type { Swept } from '../../../contracts/events.ts';
import { taskId } from '../../../contracts/ids.ts';
import { STREAMS, stepSubject } from '../../../contracts/subjects.ts';
import type { Store } from '../../../lib/store/collections.ts';
import type { TaskDocument } from '../../../lib/store/task-document.ts';
import { batchesAtWork } from '../../../lib/tasks/tasks-out.ts';
import type { SweptBatch } from './tell.ts';

const A_SWEEP = 200;

export interface MissingTimes {
  /** Only tasks that have been silent for so long are looked into. */
  silentAfterMs: number;
  /** A task that waits in its stream for so long is told of, once in as long. */
  untakenAfterMs: number;
}

export type FindMissing = (nowMs: number) => Promise<SweptBatch[]>;

/**
 * Finds tasks that are out and will never be answered: their message is gone (the stream was lost, set back or purged),
 * their document is gone, or their answer is. And tasks that nobody takes.
 */
export function missingTasks(
  { store, jsm }: { store: Pick<Store, 'batches' | 'tasks'>; jsm: JetStreamManager },
  { silentAfterMs, untakenAfterMs }: MissingTimes,
): FindMissing {
  /** Documents that were not there at the last look: a turn writes its batch before them. */
  let absent = new Set<string>();
  const toldUntaken = new Map<string, number>();

  async function find(nowMs: number): Promise<SweptBatch[]> {
    const found: SweptBatch[] = [];
    const absentNow = new Set<string>();
    for (const batch of await batchesAtWork(store, A_SWEEP)) {
      const swept = await look({ batch, found: [] }, absentNow, nowMs);
      if (swept.found.length > 0) found.push(swept);
    }
    absent = absentNow;
    for (const [id, atMs] of toldUntaken) if (nowMs - atMs > untakenAfterMs) toldUntaken.delete(id);
    return found;
  }

  async function look(swept: SweptBatch, absentNow: Set<string>, nowMs: number): Promise<SweptBatch> {
    const { _id, incarnation, work } = swept.batch;
    const out = new Map((work?.out ?? []).map((n) => [taskId(_id, incarnation, work!.step, n), n]));
    const documents = await store.tasks.find({ _id: { $in: [...out.keys()] } }).toArray();
    const known = new Set(documents.map((document) => document._id));
    for (const [id, task] of out) {
      if (known.has(id)) continue;
      absentNow.add(id);
      if (absent.has(id)) swept.found.push({ what: 'no-document', task });
    }
    for (const document of documents) {
      if (document.progressAt > nowMs - silentAfterMs) continue;
      const what = await whatIsWrong(document, nowMs);
      if (what) swept.found.push({ what, task: document.n });
      // One is enough to have all of them handed out again; each look costs a request.
      if (what === 'no-message' || what === 'no-answer') break;
    }
    return swept;
  }

  async function whatIsWrong(document: TaskDocument, nowMs: number): Promise<Swept | undefined> {
    if (!(await hasMessage(document))) return document.out ? 'no-message' : 'no-answer';
    if (document.holder !== undefined || document.progressAt > nowMs - untakenAfterMs) return undefined;
    if (toldUntaken.has(document.batchId)) return undefined;
    toldUntaken.set(document.batchId, nowMs);
    return 'no-holder';
  }

  /** Asked of the leader: a replica may be seconds behind. */
  async function hasMessage({ step, batchId, n, epoch }: TaskDocument): Promise<boolean> {
    const subject = stepSubject(step, batchId, n, epoch);
    return (await jsm.streams.getMessage(STREAMS.steps, { last_by_subj: subject })) !== null;
  }

  return find;
}
