import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { DeliveryReceipt, LateAnswer } from '../../../contracts/receipts.ts';
import { streamShapes } from '../../../contracts/streams.ts';
import { receiptSubject, STREAMS } from '../../../contracts/subjects.ts';
import { connectMongo } from '../../../lib/mongo/connect.ts';
import { connectNats } from '../../../lib/nats/connect.ts';
import { publisher as publisherOf } from '../../../lib/nats/publish.ts';
import { ensureStream } from '../../../lib/nats/streams.ts';
import { parkedReceipts } from '../../../lib/receipts/parked.ts';
import { storeOf } from '../../../lib/store/collections.ts';
import type { Servers } from '../../../scripts/servers/start-servers.ts';
import { type ReceiptsTuning, startReceipts } from '../../../services/receipts/component.ts';
import type { SentBatch } from '../../support/sent-batch.ts';

export const silent = pino({ level: process.env.LOG_LEVEL ?? 'silent' });

/** Streams and connections of a test of services/receipts. */
export async function receiptsWorld(servers: Servers) {
  const nats = await connectNats({ url: servers.natsUrl, name: 'test', log: silent });
  const mongo = await connectMongo({
    url: servers.mongoUrl,
    database: servers.mongoDatabase,
    name: 'test',
    log: silent,
  });
  const store = storeOf(mongo.db);
  for (const shape of streamShapes()) await ensureStream(nats.jsm, shape as never);
  const publisher = publisherOf(nats);
  let groups = 0;

  const publishGroup = (body: object, provider = 'main') =>
    publisher.publish({
      stream: STREAMS.receipts,
      subject: receiptSubject(provider),
      msgId: `group-${process.pid}-${++groups}`,
      body,
    });

  return {
    nats,
    store,
    publisher,
    publishGroup,
    publish: (receipts: DeliveryReceipt[], provider = 'main') =>
      publishGroup({ provider, receipts }, provider),
    publishLate: (lateAnswers: LateAnswer[]) => publishGroup({ provider: 'main', lateAnswers }),

    component: (tuning: Partial<ReceiptsTuning> = {}, hostId = 'host-1') =>
      startReceipts({
        nats,
        store,
        registry: new Registry(),
        log: silent,
        version: '0.0.0',
        hostId,
        tuning: { lingerMs: 20, pullMs: 1_000, holdMs: 150, sweepEveryMs: 50, ...tuning },
      }),

    /** Receipt letters of a batch, by number. */
    async statesOf({ life, placeOf }: SentBatch): Promise<Record<string, string>> {
      const found = await store.receipts.find({ _id: { $gte: `${life}.`, $lt: `${life}/` } }).toArray();
      const byIndex = new Map(found.map((each) => [each.index, each]));
      return Object.fromEntries(
        [...placeOf].map(([msisdn, { index, position }]) => [
          msisdn,
          byIndex.get(index)?.states[position] ?? '.',
        ]),
      );
    },

    parked: () => parkedReceipts(mongo.db).find().toArray(),

    /** Everything that was published is acknowledged. */
    async drained(): Promise<boolean> {
      const { num_pending, num_ack_pending } = await nats.jsm.consumers.info(STREAMS.receipts, 'receipts');
      return num_pending === 0 && num_ack_pending === 0;
    },
    async [Symbol.asyncDispose]() {
      await nats.close();
      await mongo.close();
    },
  };
}
