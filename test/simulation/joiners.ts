import { STREAMS } from '../../contracts/subjects.ts';
import { Chunks } from '../../services/receipts/chunks.ts';
import { DEFAULT_TUNING } from '../../services/receipts/component.ts';
import { Directory } from '../../services/receipts/directory.ts';
import { Locators } from '../../services/receipts/locators.ts';
import { Pipeline } from '../../services/receipts/pipeline.ts';
import { Recounts } from '../../services/receipts/recounts.ts';
import { sweepParked } from '../../services/receipts/sweep.ts';
import { consume, everyMs, noMetrics, type Process } from './process.ts';
import type { World } from './world.ts';

export function addReceipts({ bus, consumers }: World): void {
  consumers.set(
    'receipts',
    bus.consumer('receipts', STREAMS.receipts, () => true, 2_000),
  );
}

/** The host that joins receipts and late answers to messages: the real rounds, lattice and recounts. */
export function joiners(process: Process): void {
  const { world, host, store, publisher, log } = process;
  const joining = {
    directory: new Directory(store),
    locators: new Locators(store, DEFAULT_TUNING.maxLocatedRows),
    chunks: new Chunks(store, DEFAULT_TUNING.maxChunks),
  };
  const recounts = new Recounts({ store, publisher, log, writer: host.name });
  const metrics = noMetrics<never>();
  const pipeline = new Pipeline({
    joining,
    store,
    recounts,
    metrics,
    log,
    bury: async (message, reason) => {
      world.breaks('no receipt is poison', `${message.subject}: ${reason}`);
      return { term: reason };
    },
    holdMs: DEFAULT_TUNING.holdMs,
    maxHeld: DEFAULT_TUNING.maxHeld,
    maxBucketReads: DEFAULT_TUNING.maxBucketReads,
  });
  const sweep = {
    joining,
    store,
    recounts,
    metrics,
    exclusively: <T>(work: () => Promise<T>) => pipeline.exclusively(work),
  };
  consume(process, world.consumers.get('receipts')!, {
    room: 20,
    handle: async (message) => (await pipeline.handle([message]))[0]!,
  });
  everyMs(process, 'receipts in hand', 2_000, async () => pipeline.keepAlive());
  everyMs(process, 'held receipts', 500, () => pipeline.retryHeld());
  everyMs(process, 'parked receipts', 1_000, () => sweepParked(sweep));
  everyMs(process, 'recounts', 1_000, async () => {
    await recounts.adopt();
    await recounts.round();
  });
}
