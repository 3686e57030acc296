import type { JetStreamManager } from '@nats-io/jetstream';
import type { Static } from 'typebox';
import type { BatchesReconciled } from '../../../contracts/batch-answers.ts';
import type { BATCH_API, BatchView } from '../../../contracts/batch-api.ts';
import { errorBody, RefusedError } from '../../../contracts/errors.ts';
import { eventSubject, parseEventSubject, STREAMS } from '../../../contracts/subjects.ts';
import type { CommandClient } from '../../../lib/batch/command-client.ts';
import type { RequestMeta } from '../../../lib/nats/micro.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { noteRestore } from '../../../lib/store/restores.ts';

interface ReconcileDeps {
  jsm: JetStreamManager;
  store: Store;
  commands: CommandClient;
}

type Request = Static<typeof BATCH_API.reconcile>;

const AT_ONCE = 32;
const NAMED = 500;

/** One batch, or all that have not ended: what an operator says once after setting the database back. */
export async function reconcile(
  deps: ReconcileDeps,
  { id, all, ...body }: Request,
  meta: RequestMeta,
): Promise<BatchView | BatchesReconciled> {
  if ((id === undefined) !== (all === true)) {
    const finding = { field: 'id', value: id, expected: 'id, or all: true' };
    throw new RefusedError(errorBody('invalid-body', 'Which batch is to look again?', [finding]));
  }
  if (id !== undefined) return deps.commands.send(id, 'reconcile', body, meta);
  // Before anything else: who starts after it must know.
  if (body.restored) await noteRestore(deps.store.db, Date.now());
  const answer: BatchesReconciled = { asked: 0, refused: [] };
  const found = deps.store.batches.find(
    { endedAt: { $exists: false }, deletedAt: { $exists: false } },
    { projection: { _id: 1 } },
  );
  let together: Promise<void>[] = [];
  for await (const { _id } of found) {
    answer.asked += 1;
    together.push(ask(_id));
    if (together.length < AT_ONCE) continue;
    await Promise.all(together);
    together = [];
  }
  await Promise.all(together);
  return body.restored ? { ...answer, lost: await lostBatches(deps) } : answer;

  async function ask(batchId: string): Promise<void> {
    try {
      await deps.commands.send(batchId, 'reconcile', body, meta);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      if (answer.refused.length < NAMED) answer.refused.push({ id: batchId, error: error.body });
    }
  }
}

/** Batches that were made after the copy: events tell of them, the database does not. */
async function lostBatches({ jsm, store }: ReconcileDeps): Promise<string[]> {
  const { state } = await jsm.streams.info(STREAMS.events, {
    subjects_filter: eventSubject('*', 'state-changed'),
  });
  const told = Object.keys(state.subjects ?? {}).flatMap(
    (subject) => parseEventSubject(subject)?.batchId ?? [],
  );
  const lost: string[] = [];
  for (let at = 0; at < told.length && lost.length < NAMED; at += NAMED) {
    const page = told.slice(at, at + NAMED);
    const there = await store.batches.find({ _id: { $in: page } }, { projection: { _id: 1 } }).toArray();
    const known = new Set(there.map(({ _id }) => _id));
    lost.push(...page.filter((each) => !known.has(each)));
  }
  return lost.slice(0, NAMED);
}
