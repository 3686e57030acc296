import type { JsMsg } from '@nats-io/jetstream';
import { check } from '../../contracts/check.ts';
import { ReceiptGroup } from '../../contracts/receipts.ts';
import { JoinItem, type LateItem } from './join-item.ts';

/** A message of SMS_RECEIPTS that is acknowledged when all it holds is stored: joined, or parked. */
export class Incoming {
  readonly message: JsMsg;
  open = 0;
  settled = false;

  constructor(message: JsMsg) {
    this.message = message;
  }

  /** One of its receipts is stored. */
  stored(): void {
    this.open -= 1;
    if (this.open === 0) this.ack();
  }

  ack(): void {
    if (this.settled) return;
    this.settled = true;
    this.message.ack();
  }

  /** Again, for whoever comes first: nothing in it is harmed by a repetition. */
  giveBack(afterMs: number): void {
    if (this.settled) return;
    this.settled = true;
    this.message.nak(afterMs);
  }
}

export type Opened =
  | { ok: true; incoming: Incoming; items: JoinItem[]; late: LateItem[] }
  | { ok: false; reason: string };

/** What a message holds, or why it cannot be read: then no retry will mend it. */
export function openMessage(message: JsMsg, nowMs: number): Opened {
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
  const incoming = new Incoming(message);
  const items = receipts.map((receipt) => new JoinItem(receipt, provider, incoming, nowMs));
  const late = lateAnswers.map((answer) => ({ answer, source: incoming, joined: false }));
  incoming.open = items.length + late.length;
  return { ok: true, incoming, items, late };
}
