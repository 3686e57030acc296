import type { JetStreamManager } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { loop } from '../../../lib/lifecycle/loop.ts';
import { type Part, part } from '../../../lib/lifecycle/part.ts';
import type { Publisher } from '../../../lib/nats/publish.ts';
import type { Store } from '../../../lib/store/collections.ts';
import type { WatcherMetrics } from '../metrics.ts';
import { findDue } from './due.ts';
import { type MissingTimes, missingTasks } from './missing.ts';
import { type SweptBatch, tell } from './tell.ts';

export interface SweepTimes extends MissingTimes {
  everyMs: number;
  /** An outbox is published within milliseconds of its write; later than this, its host has died in between. */
  unpublishedAfterMs: number;
  /** Messages and documents of tasks are looked for this often. */
  missingEveryMs: number;
  /** Consumers are looked at for what they gave up this often. */
  givenUpEveryMs: number;
}

export const SWEEP_TIMES: SweepTimes = {
  everyMs: 1_000,
  unpublishedAfterMs: 5_000,
  missingEveryMs: 10_000,
  givenUpEveryMs: 30_000,
  silentAfterMs: 10_000,
  untakenAfterMs: 5 * 60_000,
};

export interface SweepDeps {
  store: Store;
  jsm: JetStreamManager;
  publisher: Publisher;
  metrics: WatcherMetrics;
  log: Logger;
  times: SweepTimes;
}

/**
 * JetStream is never the only copy: finds passed deadlines, unpublished outboxes and tasks that nothing will ever answer,
 * and asks the actor to look again. Decides nothing itself; every watcher runs it.
 */
export function sweeps({ store, jsm, publisher, metrics, log, times }: SweepDeps): Part {
  return part('sweeps', ({ signal, defer }) => {
    const findMissing = missingTasks({ store, jsm }, times);
    let missingAt = Number.NEGATIVE_INFINITY;

    async function round(): Promise<void> {
      await report(await findDue(store, { nowMs: Date.now(), ...times }));
      if (performance.now() - missingAt < times.missingEveryMs) return;
      missingAt = performance.now();
      await report(await findMissing(Date.now()));
    }

    async function report(found: readonly SweptBatch[]): Promise<void> {
      for (const swept of found) {
        await tell(publisher, swept, Date.now());
        for (const { what } of swept.found) metrics.swept.inc({ what });
        log.info({ batchId: swept.batch._id, found: swept.found }, 'a batch is asked to look again');
      }
    }

    const running = loop('sweeps', round, signal, { log, pauseMs: times.everyMs });
    defer(() => running);
  });
}
