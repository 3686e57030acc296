import type { JsMsg } from '@nats-io/jetstream';
import { check } from '../../contracts/check.ts';
import { type DeliveryReceipt, ReceiptGroup, type ReceiptLetter } from '../../contracts/receipts.ts';
import { RECEIPT_OF_LETTER } from '../../lib/store/receipt-lattice.ts';
import {
  areEquallyLong,
  itemOf,
  itemsOfColumns,
  type JoinItem,
  type LateItem,
  type ReceiptSource,
} from './join-item.ts';

/** A message of SMS_RECEIPTS that is acknowledged when all it holds is stored: joined, or parked. */
export class Incoming implements ReceiptSource {
  readonly message: JsMsg;
  readonly provider: string;
  readonly sinceMs: number;
  readonly atMs: number;
  /** How many it holds. */
  readonly receipts: number;
  open = 0;
  settled = false;
  readonly #unsettled: Set<Incoming>;
  /** Columns and list, until the items are made. */
  #group: ReceiptGroup | undefined;
  #texts: DeliveryReceipt[] | undefined;

  /** @param unsettled holds it until it is settled: what is to be kept alive, and no longer in memory than that */
  constructor(message: JsMsg, group: ReceiptGroup, sinceMs: number, unsettled: Set<Incoming>) {
    this.message = message;
    this.receipts = (group.columns?.states.length ?? 0) + (group.receipts?.length ?? 0);
    this.provider = group.provider;
    this.#group = group;
    this.sinceMs = sinceMs;
    this.atMs = group.columns?.atMs ?? group.receipts?.[0]?.atMs ?? 0;
    this.#unsettled = unsettled;
  }

  /** One a receipt, made when a round begins: fifty thousand objects that wait cost more than what is done with them. */
  takeItems(): JoinItem[] {
    const { columns, receipts = [] } = this.#group ?? {};
    this.#group = undefined;
    const items = columns ? itemsOfColumns(columns, this) : [];
    for (const receipt of receipts) {
      items.push(itemOf(receipt, items.length, this));
    }
    return items;
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
    this.#texts ??= receiptsOf(this.message.json());
    return this.#texts[n]!;
  }

  /** After the round that needed the texts. */
  forgetTexts(): void {
    this.#texts = undefined;
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

export type Opened = { ok: true; incoming: Incoming; late: LateItem[] } | { ok: false; reason: string };

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
  const { columns, lateAnswers = [] } = checked.value;
  if (columns && !areEquallyLong(columns)) {
    return {
      ok: false,
      reason:
        'columns: expected as many lines as states, or one of senders, texts and submitToDoneMs for all',
    };
  }
  const incoming = new Incoming(message, checked.value, nowMs, unsettled);
  const late = lateAnswers.map((answer) => ({ answer, source: incoming, joined: false }));
  unsettled.add(incoming);
  incoming.open = incoming.receipts + late.length;
  return { ok: true, incoming, late };
}

/** In the order of the items. */
function receiptsOf({ columns, receipts = [] }: ReceiptGroup): DeliveryReceipt[] {
  if (!columns) return receipts;
  const { messageIds, msisdns, states, errors, atMs } = columns;
  const ids = messageIds.split('\n');
  const numbers = msisdns.split('\n');
  const codes = errors?.split('\n');
  const senders = lineReader(columns.senders);
  const texts = lineReader(columns.texts);
  const apart = lineReader(columns.submitToDoneMs);
  return Array.from(states, (letter, n): DeliveryReceipt => {
    const receipt: DeliveryReceipt = {
      messageId: ids[n]!,
      msisdn: numbers[n]!,
      state: RECEIPT_OF_LETTER[letter as ReceiptLetter],
      atMs,
    };
    if (codes?.[n]) receipt.error = codes[n];
    if (senders(n)) receipt.sender = senders(n);
    if (texts(n)) receipt.text = texts(n);
    if (apart(n)) receipt.submitToDoneMs = Number(apart(n));
    return receipt;
  }).concat(receipts);
}

/** Of a column that may have one line for all. */
function lineReader(column = ''): (n: number) => string {
  if (!column.includes('\n')) return () => column;
  const lines = column.split('\n');
  return (n) => lines[n]!;
}
