import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { receiptConsumerShape } from '../../contracts/streams.ts';
import { deadSubject, RECEIPT_CONSUMER, STREAMS } from '../../contracts/subjects.ts';
import { loopPart } from '../../lib/lifecycle/loop.ts';
import { type Part, part } from '../../lib/lifecycle/part.ts';
import { isTransient } from '../../lib/mongo/errors.ts';
import { ensureIndexes } from '../../lib/mongo/indexes.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import { deadLetter } from '../../lib/nats/dead-letter.ts';
import { fetchLoop } from '../../lib/nats/fetch-loop.ts';
import { serveApi } from '../../lib/nats/micro.ts';
import { publisher as publisherOf } from '../../lib/nats/publish.ts';
import { ensureConsumer } from '../../lib/nats/streams.ts';
import { PARKED_INDEXES } from '../../lib/receipts/parked.ts';
import { RECOUNT_INDEXES } from '../../lib/receipts/recount-document.ts';
import type { Store } from '../../lib/store/collections.ts';
import { Chunks } from './chunks.ts';
import { DIRECTORY_INDEXES, Directory } from './directory.ts';
import { Locators } from './locators.ts';
import { receiptMetrics } from './metrics.ts';
import { orphansEndpoint } from './orphans-api.ts';
import { Pipeline } from './pipeline.ts';
import { Recounts } from './recounts.ts';
import { sweepParked } from './sweep.ts';

export interface ReceiptsDeps {
  nats: Nats;
  store: Store;
  registry: Registry;
  log: Logger;
  version: string;
  /** This process among the others (lib/config: newHostId). */
  hostId: string;
  tuning?: Partial<ReceiptsTuning>;
}

export interface ReceiptsTuning {
  /** Messages of a round, and how long the first waits for the others. */
  maxMessages: number;
  lingerMs: number;
  /** Stop waits for an idle pull so long. */
  pullMs: number;
  /** How long a receipt that is faster than its answer waits in memory. */
  holdMs: number;
  maxHeld: number;
  sweepEveryMs: number;
  /** Numbers kept in memory: 9 bytes each. */
  maxLocatedRows: number;
  /** Chunks kept in memory: about 8 kB each. */
  maxChunks: number;
  /** Buckets read in one round. */
  maxBucketReads: number;
}

export const DEFAULT_TUNING: ReceiptsTuning = {
  maxMessages: 20,
  lingerMs: 100,
  pullMs: 2_000,
  holdMs: 800,
  maxHeld: 50_000,
  sweepEveryMs: 500,
  maxLocatedRows: 4_000_000,
  maxChunks: 4_000,
  maxBucketReads: 512,
};

const HELD_EVERY_MS = 100;
const ALIVE_EVERY_MS = 2_000;

/**
 * Consumes SMS_RECEIPTS: joins receipts and late answers to the messages they are about, in receipt documents; parks what
 * fits no message yet, and looks again; publishes `recounted`. Serves `sms.api.receipt.orphans`.
 */
export function startReceipts(deps: ReceiptsDeps): Part {
  const { nats, store, registry, log, version, hostId } = deps;
  const tuning = { ...DEFAULT_TUNING, ...deps.tuning };
  return part('receipts', async ({ run, defer }) => {
    await ensureIndexes(store.db, { ...PARKED_INDEXES, ...RECOUNT_INDEXES, ...DIRECTORY_INDEXES });
    const { stream, ...consumer } = receiptConsumerShape();
    await ensureConsumer(nats.jsm, stream, consumer);

    const publisher = publisherOf(nats);
    const joining = {
      directory: new Directory(store),
      locators: new Locators(store, tuning.maxLocatedRows),
      chunks: new Chunks(store, tuning.maxChunks),
    };
    await joining.directory.refresh();
    const recounts = new Recounts({ store, publisher, log, writer: hostId });
    const metrics = receiptMetrics(registry, () => pipeline.held);
    const pipeline = new Pipeline({
      joining,
      store,
      recounts,
      metrics,
      log,
      bury: (message, reason) =>
        deadLetter(publisher, message, {
          stream: STREAMS.dead,
          subject: deadSubject(STREAMS.receipts, message.subject),
          reason,
        }),
      holdMs: tuning.holdMs,
      maxHeld: tuning.maxHeld,
      maxBucketReads: tuning.maxBucketReads,
    });

    // Stopped in reverse: first no more messages, then what waits in memory is stored, then it is counted.
    defer(() => recounts.flush());
    await run(recounts.loop());
    defer(() => pipeline.flush());
    const alive = setInterval(() => pipeline.keepAlive(), ALIVE_EVERY_MS);
    defer(() => clearInterval(alive));
    const sweep = {
      joining,
      store,
      recounts,
      metrics,
      exclusively: <T>(work: () => Promise<T>) => pipeline.exclusively(work),
    };
    await run(loopPart('parked receipts', () => sweepParked(sweep), { log, pauseMs: tuning.sweepEveryMs }));
    await run(loopPart('held receipts', () => pipeline.retryHeld(), { log, pauseMs: HELD_EVERY_MS }));
    await run(
      fetchLoop({
        nats,
        stream,
        consumer: RECEIPT_CONSUMER,
        log,
        maxMessages: tuning.maxMessages,
        lingerMs: tuning.lingerMs,
        expiresMs: tuning.pullMs,
        handle: (messages) => pipeline.handle(messages),
        ensure: () => ensureConsumer(nats.jsm, stream, consumer),
      }),
    );
    await run(
      serveApi(nats.nc, {
        name: 'smsbatch-receipts',
        version,
        description: 'Delivery receipts',
        endpoints: [orphansEndpoint(store.db)],
        log,
        unavailable: isTransient,
      }),
    );
  });
}
