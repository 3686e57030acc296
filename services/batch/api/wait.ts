import type { NatsConnection } from '@nats-io/transport-node';
import { errorBody, RefusedError } from '../../../contracts/errors.ts';
import { isFinal, stateName } from '../../../contracts/states.ts';
import { eventSubject } from '../../../contracts/subjects.ts';
import { sleep } from '../../../lib/lifecycle/sleep.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { lookUpBatch, noBatch } from './find-batch.ts';

const DEFAULT_WAIT_MS = 30_000;
/** Events may be lost; the document is looked at this often besides. */
const LOOK_EVERY_MS = 1_000;

/** Where a batch stays until somebody acts: what a caller who waits for no state in particular wants to hear of. */
const standsStill = ({ state }: BatchDocument): boolean =>
  isFinal(state) || (state.phase !== null && (state.status === 'Paused' || state.status === 'Failed'));

/**
 * A batch that is not there yet is waited for, too: its create may lie in the stream still.
 * @throws RefusedError `timeout`, naming the state it is in; `not-found` when it has not appeared by then
 */
export async function waitFor(
  { nc, store }: { nc: NatsConnection; store: Store },
  request: { id: string; states?: string[]; timeoutMs?: number },
  stopping: AbortSignal,
): Promise<BatchDocument> {
  const { id, states, timeoutMs = DEFAULT_WAIT_MS } = request;
  const arrived = (doc: BatchDocument) => (states ? states.includes(stateName(doc.state)) : standsStill(doc));
  const deadlineAt = performance.now() + timeoutMs;
  let wake = new AbortController();
  const subscription = nc.subscribe(eventSubject(id, 'state-changed'), { callback: () => wake.abort() });
  try {
    for (;;) {
      wake = new AbortController();
      const doc = await lookUpBatch(store, id);
      if (doc && arrived(doc)) return doc;
      if (doc && states && isFinal(doc.state)) {
        throw new RefusedError(
          errorBody('state-forbids', `Batch ${id} has ended as ${stateName(doc.state)}.`),
        );
      }
      const leftMs = deadlineAt - performance.now();
      if (leftMs <= 0 || stopping.aborted) {
        if (!doc && !stopping.aborted) throw noBatch(id);
        const still = doc ? `still ${stateName(doc.state)}` : 'not there yet';
        throw new RefusedError(errorBody('timeout', `Batch ${id} is ${still}.`));
      }
      await sleep(Math.min(leftMs, LOOK_EVERY_MS), AbortSignal.any([wake.signal, stopping]));
    }
  } finally {
    subscription.unsubscribe();
  }
}
