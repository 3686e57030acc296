import type { JsMsg } from '@nats-io/jetstream';
import { check } from '../../contracts/check.ts';
import { type DeliveryReceipt, ReceiptGroup } from '../../contracts/receipts.ts';
import { JoinItem, type LateItem, type ReceiptSource } from './join-item.ts';

/** A message of SMS_RECEIPTS that is acknowledged when all it holds is stored: joined, or parked. */
export class Incoming implements ReceiptSource {
  readonly message: JsMsg;
  open = 0;
  settled = false;
  readonly #unsettled: Set<Incoming>;
  #receipts: DeliveryReceipt[] | undefined;

  /** @param unsettled holds it until it is settled: what is to be kept alive, and no longer in memory than that */
  constructor(message: JsMsg, unsettled: Set<Incoming>) {
    this.message = message;
    this.#unsettled = unsettled;
    unsettled.add(this);
  }

  /** @returns false if it was settled before */
  settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.#unsettled.delete(this);
    return true;
  }

  /** Read once more, for the few that need their text: all of them together, since they wait for the same reason. */
  receiptAt(n: number): DeliveryReceipt {
    this.#receipts ??= (this.message.json() as ReceiptGroup).receipts!;
    return this.#receipts[n]!;
  }

  /** After the round that needed the texts. */
  forgetTexts(): void {
    this.#receipts = undefined;
  }

  /** One of its receipts is stored. */
  stored(): void {
    this.open -= 1;
    if (this.open === 0) this.ack();
  }

  ack(): void {
    if (this.settle()) this.message.ack();
  }

  /** Again, for whoever comes first: nothing in it is harmed by a repetition. */
  giveBack(afterMs: number): void {
    if (this.settle()) this.message.nak(afterMs);
  }
}

export type Opened =
  | { ok: true; incoming: Incoming; items: JoinItem[]; late: LateItem[] }
  | { ok: false; reason: string };

/** What a message holds, or why it cannot be read: then no retry will mend it. */
export function openMessage(message: JsMsg, nowMs: number, unsettled: Set<Incoming>): Opened {
  let body: unknown;
  try {
    body = message.json();
  } catch (error) {
    return { ok: false, reason: `the body is not JSON: ${(error as Error).message}` };
  }
  const checked = check(ReceiptGroup, body);
  if (!checked.ok) {
    const findings = checked.errors
      .slice(0, 5)
      .map(({ field, expected }) => `${field}: expected ${expected}`);
    return { ok: false, reason: `the body does not fit its schema: ${findings.join('; ')}` };
  }
  const { provider, receipts = [], lateAnswers = [] } = checked.value;
  const incoming = new Incoming(message, unsettled);
  const items = receipts.map((receipt, n) => new JoinItem(receipt, n, provider, incoming, nowMs));
  const late = lateAnswers.map((answer) => ({ answer, source: incoming, joined: false }));
  incoming.open = items.length + late.length;
  return { ok: true, incoming, items, late };
}
