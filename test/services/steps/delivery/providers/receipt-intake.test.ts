import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { check } from '../../../../../contracts/check.ts';
import { ReceiptGroup } from '../../../../../contracts/receipts.ts';
import type { Publication, PublishResult } from '../../../../../lib/nats/publish.ts';
import {
  type ReceivedReceipt,
  receiptIntake,
} from '../../../../../services/steps/delivery/providers/receipt-intake.ts';

const receiptOf = (n: number, more: Partial<ReceivedReceipt> = {}): ReceivedReceipt => ({
  messageId: String(n),
  msisdn: '447700900123',
  state: 'delivered',
  error: '',
  sender: '',
  text: '',
  submitToDoneMs: undefined,
  ...more,
});

const giver = (stored: (ok: boolean, ticket: number) => void) => ({
  stored: (ticket: number, ok: boolean) => stored(ok, ticket),
});

/** The stream, as slow or as broken as a test wants it. */
function stream(answer: (publication: Publication) => Promise<PublishResult>) {
  const published: Publication[] = [];
  const intake = receiptIntake({
    provider: 'sim',
    id: 'host',
    log: pino({ level: 'silent' }),
    publisher: {
      publish(publication) {
        published.push(publication);
        return answer(publication);
      },
    },
  });
  const groups = () =>
    published.map(({ body }) => {
      const checked = check(ReceiptGroup, body);
      assert.ok(checked.ok);
      return checked.value;
    });
  return { intake, published, groups };
}

test('a full group leaves at once, the rest soon; each receipt is answered after it is stored', async () => {
  let store = (): void => {};
  const stored = new Promise<void>((resolve) => {
    store = resolve;
  });
  const { intake, published, groups } = stream(async () => {
    await stored;
    return { kind: 'stored', seq: 1 };
  });
  const answered: [boolean, number][] = [];
  const carrier = giver((...answer) => answered.push(answer));
  for (let n = 0; n < 4_700; n++) intake.receipt(receiptOf(n), carrier, n);
  assert.equal(published.length, 1);
  const flushed = intake.flush();
  assert.deepEqual(answered, []);
  store();
  await flushed;
  assert.deepEqual(
    groups().map(({ columns }) => columns?.states),
    ['d'.repeat(4_000), 'd'.repeat(700)],
  );
  assert.deepEqual(
    groups().flatMap(({ columns }) => columns!.messageIds.split('\n')),
    Array.from({ length: 4_700 }, (_, n) => String(n)),
  );
  assert.deepEqual(
    answered,
    Array.from({ length: 4_700 }, (_, n) => [true, n]),
  );
  assert.equal(new Set(published.map(({ msgId }) => msgId)).size, 2);
  assert.ok(published.every(({ subject }) => subject === 'sms.receipt.sim'));
});

test('a small group leaves after a moment by itself', async () => {
  const { intake, groups } = stream(async () => ({ kind: 'stored', seq: 1 }));
  await new Promise<void>((resolve) => intake.receipt(receiptOf(1), giver(resolve as never), 0));
  assert.equal(groups().length, 1);
});

test('while the stream does not answer, a bounded number of groups is on its way', async () => {
  let store = (): void => {};
  const stored = new Promise<void>((resolve) => {
    store = resolve;
  });
  const { intake, published } = stream(async () => {
    await stored;
    return { kind: 'stored', seq: 1 };
  });
  for (let n = 0; n < 20_000; n++)
    intake.receipt(
      receiptOf(n),
      giver(() => {}),
      n,
    );
  assert.equal(published.length, 4);
  store();
  await intake.flush();
  assert.equal(
    published.reduce((sum, { body }) => sum + (body as ReceiptGroup).columns!.states.length, 0),
    20_000,
  );
});

test('what cannot be stored is answered so that the carrier sends it again; late answers are kept', async () => {
  let broken = true;
  const { intake, groups } = stream(async () => {
    if (broken) throw new Error('away');
    return { kind: 'stored', seq: 1 };
  });
  intake.lateAnswer({ chunk: 'b.i.0', position: 1, outcome: 'accepted', messageId: 'm', atMs: 1 });
  const answer = new Promise<boolean>((resolve) => intake.receipt(receiptOf(1), giver(resolve), 0));
  assert.equal(await answer, false);
  broken = false;
  await intake.flush();
  assert.equal(groups().at(-1)?.lateAnswers?.length, 1);
  assert.equal(groups().at(-1)?.columns, undefined);
});

test('each state has its letter, errors their column, and a line break no column of its own', async () => {
  const { intake, groups } = stream(async () => ({ kind: 'stored', seq: 1 }));
  const carrier = giver(() => {});
  intake.receipt(receiptOf(1), carrier, 1);
  intake.receipt(receiptOf(2, { state: 'undelivered', error: '034', messageId: 'a\nb' }), carrier, 2);
  await intake.flush();
  const { columns } = groups()[0]!;
  assert.deepEqual(
    { ...columns, atMs: 0 },
    { messageIds: '1\na b', msisdns: '447700900123\n447700900123', states: 'du', errors: '\n034', atMs: 0 },
  );
});

test('sender, text and dates: one line for all where they are the same, else one each', async () => {
  const { intake, groups } = stream(async () => ({ kind: 'stored', seq: 1 }));
  const carrier = giver(() => {});
  intake.receipt(receiptOf(1, { sender: 'Shop', text: 'Hello Ann', submitToDoneMs: 0 }), carrier, 1);
  intake.receipt(receiptOf(2, { sender: 'Shop', text: 'Hello\nBob' }), carrier, 2);
  await intake.flush();
  const { senders, texts, submitToDoneMs } = groups()[0]!.columns!;
  assert.deepEqual([senders, texts, submitToDoneMs], ['Shop', 'Hello Ann\nHello Bob', '0\n']);
});
