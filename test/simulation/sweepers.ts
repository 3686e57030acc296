import { sweeps } from '../../services/watcher/sweeps/sweeps.ts';
import { noMetrics, type Process } from './process.ts';

/** The watcher's sweeps, as often as they are by default. */
export function sweepers({ store, nats, publisher, log }: Process): void {
  const times = {
    everyMs: 1_000,
    unpublishedAfterMs: 5_000,
    missingEveryMs: 10_000,
    givenUpEveryMs: 30_000,
    silentAfterMs: 10_000,
    untakenAfterMs: 5 * 60_000,
  };
  void sweeps({ store, jsm: nats.jsm, publisher, metrics: noMetrics(), log, times }).start();
}
