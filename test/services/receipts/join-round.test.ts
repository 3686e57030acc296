import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { noReceipts, type ReceiptCounts } from '../../../contracts/outcomes.ts';
import { type DeliveryReceipt, RECEIPT_LETTERS, RECEIPT_STATES } from '../../../contracts/receipts.ts';
import { connectMongo } from '../../../lib/mongo/connect.ts';
import { accountOf } from '../../../lib/stats/account.ts';
import { storeOf } from '../../../lib/store/collections.ts';
import { receiptRank } from '../../../lib/store/receipt-lattice.ts';
import { Chunks } from '../../../services/receipts/chunks.ts';
import { Directory } from '../../../services/receipts/directory.ts';
import { itemOf } from '../../../services/receipts/join-item.ts';
import { JoinRound } from '../../../services/receipts/join-round.ts';
import { Locators } from '../../../services/receipts/locators.ts';
import { type SentBatch, type SentRecipient, sentBatch, storeSentBatch } from '../../support/sent-batch.ts';
import { testServers } from '../../support/servers.ts';

const servers = await testServers(['mongo']);
const log = pino({ level: 'silent' });
const mongo = await connectMongo({
  url: servers.mongoUrl,
  database: servers.mongoDatabase,
  name: 'test',
  log,
});
const store = storeOf(mongo.db);
after(async () => {
  await mongo.close();
  await servers.stop();
});

const joiningOf = () => ({
  directory: new Directory(store),
  locators: new Locators(store, 100_000),
  chunks: new Chunks(store, 1_000),
});

let batches = 0;
const nextBatchId = () => `b${++batches}-${process.pid}`;

async function joinAll(receipts: readonly DeliveryReceipt[], joining = joiningOf(), deep = false) {
  await joining.directory.refresh();
  const source = { provider: 'main', sinceMs: 0, atMs: 0, receiptAt: (n: number) => receipts[n]! };
  const items = receipts.map((receipt, n) => itemOf(receipt, n, source));
  const round = new JoinRound(joining, { deep, maxBucketReads: 1_000 });
  await round.match(items);
  await round.store(() => {});
  return items;
}

const statesOf = async ({ life, placeOf }: SentBatch) => {
  const documents = await store.receipts.find({ _id: { $gte: `${life}.`, $lt: `${life}/` } }).toArray();
  const byIndex = new Map(documents.map((each) => [each.index, each]));
  return Object.fromEntries(
    [...placeOf].map(([msisdn, { index, position }]) => [
      msisdn,
      byIndex.get(index)?.states[position] ?? '.',
    ]),
  );
};

const receipt = (
  msisdn: string,
  messageId: string,
  state: DeliveryReceipt['state'],
  atMs = 1,
): DeliveryReceipt => ({
  messageId,
  msisdn,
  state,
  atMs,
});

/** The same id as another carrier would write it. */
const dialects: ((id: number) => { answered: string; received: string })[] = [
  (id) => ({ answered: String(id), received: String(id) }),
  (id) => ({ answered: id.toString(16), received: `0${id}` }),
  (id) => ({ answered: String(id), received: id.toString(16).toUpperCase() }),
  (id) => ({ answered: `00${id.toString(16)}`, received: id.toString(16) }),
];

/** What the receipts of one message, with its parts, amount to. */
function expectedState(parts: number, states: readonly (readonly string[])[]): string {
  const best = Array.from({ length: parts }, (_, part) =>
    (states[part] ?? []).reduce((a, b) => (receiptRank(b) > receiptRank(a) ? b : a), '.'),
  );
  if (best.every((letter) => letter === 'd')) return 'd';
  const lowest = best.reduce((a, b) => (receiptRank(b) < receiptRank(a) ? b : a), 'd');
  const givenUp = states
    .flat()
    .filter((letter) => ['x', 'r', 'e', 'u'].includes(letter))
    .reduce((a, b) => (receiptRank(b) > receiptRank(a) ? b : a), '.');
  return receiptRank(givenUp) > receiptRank(lowest) || lowest === '.' ? givenUp : lowest;
}

const message = fc.record({
  parts: fc.integer({ min: 1, max: 3 }),
  dialect: fc.nat({ max: dialects.length - 1 }),
  receipts: fc.array(fc.tuple(fc.nat({ max: 2 }), fc.constantFrom(...RECEIPT_STATES)), { maxLength: 4 }),
});

test('receipts in any order, doubled, in whatever dialect, over any number of rounds: one result', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 14 }),
      fc.integer({ min: 1, max: 4 }),
      fc.infiniteStream(fc.nat()),
      async (messages, rounds, randoms) => {
        const recipients: SentRecipient[] = [];
        const receipts: DeliveryReceipt[] = [];
        const expected: Record<string, string> = {};
        const counts = noReceipts();
        messages.forEach(({ parts, dialect, receipts: own }, m) => {
          const msisdn = String(447_700_900_000 + m);
          const ids = Array.from({ length: parts }, (_, part) =>
            dialects[dialect]!(0x39f9_9d00 + m * 10 + part),
          );
          recipients.push({ msisdn, ids: ids.map(({ answered }) => answered), segments: parts });
          const states: string[][] = Array.from({ length: parts }, () => []);
          for (const [part, state] of own) {
            const { received } = ids[part % parts]!;
            states[part % parts]!.push(RECEIPT_LETTERS[state]);
            receipts.push(receipt(msisdn, received, state, 1 + part));
            receipts.push(receipt(msisdn, received, state, 5 + part));
          }
          expected[msisdn] = expectedState(parts, states);
          const counter = counterOf(expected[msisdn]);
          if (counter) counts[counter] += 1;
        });
        const sent = sentBatch({ batchId: nextBatchId(), recipients });
        await store.batches.deleteMany({});
        await storeSentBatch(store, sent);
        const shuffled = receipts
          .map((each) => ({ each, key: randoms.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ each }) => each);

        const joining = joiningOf();
        for (let r = 0; r < rounds; r++) {
          const size = Math.ceil(shuffled.length / rounds);
          const items = await joinAll(
            shuffled.slice(r * size, (r + 1) * size),
            r % 2 ? joiningOf() : joining,
          );
          assert.ok(items.every((item) => item.joined));
        }
        assert.deepEqual(await statesOf(sent), expected);
        assert.deepEqual((await accountOf(store, sent.batch)).receipts, counts);

        const before = await store.receipts.find({ batchId: sent.batchId }).toArray();
        await joinAll(shuffled, joiningOf());
        assert.deepEqual(
          await store.receipts.find({ batchId: sent.batchId }).toArray(),
          before,
          'the same receipts again change nothing',
        );
      },
    ),
    { numRuns: 40, includeErrorInReport: true },
  );
});

function counterOf(letter: string): keyof ReceiptCounts | undefined {
  if (letter === 'd') return 'delivered';
  if (letter === 'e') return 'expiredAtCarrier';
  return ['u', 'r', 'x'].includes(letter) ? 'undelivered' : undefined;
}
