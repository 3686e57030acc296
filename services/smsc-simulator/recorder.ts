import type { MessageView } from '../../lib/smpp/read-message.ts';
import { parseUserDataHeader } from '../../lib/sms/udh.ts';
import type { ReceiptBehaviour } from './behaviour.ts';
import { concatenationOf, Reassembly, tlvsOf } from './concatenation.ts';
import { messageHash, NumberSet } from './double-finder.ts';
import { type AnswerKind, Ledger, type LedgerRow } from './ledger.ts';
import { segmentText } from './message-text.ts';
import { answeredId, type IdOrigin } from './receipt-pdu.ts';
import { RowSet } from './row-set.ts';

export interface Summary {
  /** submit_sm that came in, refused ones included. */
  received: number;
  /** Accepted submit_sm, answered or not. */
  segments: number;
  /** Accepted messages that are complete: one segment, or all parts. */
  messages: number;
  /** Messages with parts missing. */
  incomplete: number;
  /** Complete messages that repeat an earlier one's number and text; null without a full ledger. */
  doubled: number | null;
  /** Some of the numbers concerned. */
  doubledNumbers: string[];
  doubledParts: number;
  /** Epoch ms of the first and last submit_sm; null before. */
  firstAt: number | null;
  lastAt: number | null;
  rejected: number;
  throttled: number;
  noAnswer: number;
  textsDropped: number;
}

export interface LedgerMessage {
  row: number;
  /** All rows of its parts. */
  rows: number[];
  msisdn: string;
  sender: string;
  text: string;
  segments: number;
  /** Epoch ms of the first part. */
  at: number;
  messageId: string | null;
  commandStatus: number;
  answer: AnswerKind;
  dataCoding: number;
  connection: number;
  /** false: a part whose message is incomplete. */
  complete: boolean;
}

/** What came in, counted always and kept in full unless it is told only to count. */
export class Recorder {
  readonly #keep: boolean;
  readonly #ids: IdOrigin;
  readonly #ledger = new Ledger();
  readonly #reassembly = new Reassembly();
  readonly #hashes = new NumberSet();
  /** Rows that are a part of several: they are hashed with their message, not alone. */
  readonly #parts = new RowSet();
  #hashedRows = 0;
  /** Completed long messages, not hashed yet. */
  #unhashedHeads: number[] = [];
  #doubledNumbers = new Set<string>();
  #counts = emptyCounts();
  #partRow = -1;

  constructor(keep: boolean, ids: IdOrigin) {
    this.#keep = keep;
    this.#ids = ids;
  }

  add(
    view: MessageView,
    connection: number,
    atMs: number,
    messageNumber: number,
    commandStatus: number,
    answer: AnswerKind,
    throttled: boolean,
  ): void {
    const counts = this.#counts;
    counts.received += 1;
    counts.firstAt ??= atMs;
    counts.lastAt = atMs;
    if (answer === 'noAnswer') counts.noAnswer += 1;
    const tlvs = tlvsOf(view);
    const payload = view.shortMessageEnd === view.shortMessageStart ? tlvs?.message_payload : undefined;
    const row = this.#keep
      ? this.#ledger.add(
          view,
          connection,
          atMs,
          messageNumber,
          commandStatus,
          answer,
          payload && Buffer.from(payload),
        )
      : this.#partRow--;
    if (commandStatus !== 0) {
      if (throttled) counts.throttled += 1;
      else counts.rejected += 1;
      return;
    }
    counts.segments += 1;
    const part = (view.esmClass & 0x40) !== 0 || tlvs !== undefined ? concatenationOf(view, tlvs) : undefined;
    if (part === undefined || part.total === 1) {
      counts.messages += 1;
      return;
    }
    this.#parts.add(row);
    const head = this.#reassembly.add(view, part, row);
    if (head === undefined) return;
    counts.messages += 1;
    if (this.#keep) this.#unhashedHeads.push(head);
  }

  /** Takes time in proportion to what came since the last call, in slices. */
  async summary(): Promise<Summary> {
    const ledger = this.#ledger;
    while (this.#keep && this.#hashedRows < ledger.length) {
      const end = Math.min(ledger.length, this.#hashedRows + 50_000);
      for (; this.#hashedRows < end; this.#hashedRows++) {
        const row = this.#hashedRows;
        if (ledger.commandStatus(row) === 0 && !this.#parts.has(row)) this.#hash(row, [row]);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const head of this.#unhashedHeads.splice(0)) this.#hash(head, this.#reassembly.complete.get(head)!);
    return {
      ...this.#counts,
      incomplete: this.#reassembly.openSets,
      doubled: this.#keep ? this.#counts.doubled : null,
      doubledNumbers: [...this.#doubledNumbers],
      doubledParts: this.#reassembly.doubledParts,
      textsDropped: ledger.textsDropped,
    };
  }

  get length(): number {
    return this.#ledger.length;
  }

  /** The message at a row: undefined where the row is a part of a complete one that has a lower row. */
  message(row: number, ids: ReceiptBehaviour['ids']): LedgerMessage | undefined {
    const head = this.#reassembly.headOf.get(row);
    if (head !== undefined && head !== row) return undefined;
    const rows = head === undefined ? [row] : this.#reassembly.complete.get(head)!;
    const first = this.#ledger.read(row);
    const number = first.messageNumber;
    return {
      row,
      rows,
      msisdn: first.destination,
      sender: first.source,
      text: rows.map((each) => textOf(each === row ? first : this.#ledger.read(each))).join(''),
      segments: rows.length,
      at: first.atMs,
      messageId: number === 0 ? null : answeredId(number, this.#ids, ids),
      commandStatus: first.commandStatus,
      answer: first.answer,
      dataCoding: first.dataCoding,
      connection: first.connection,
      complete: first.commandStatus === 0 && (head !== undefined || !this.#parts.has(row)),
    };
  }

  /** Rows from `from` on, of one number if `msisdn` is given. */
  *rows(from: number, msisdn: string | undefined): Generator<number> {
    const key = msisdn === undefined ? undefined : this.#ledger.keyOf(msisdn);
    if (msisdn !== undefined && key === undefined) return;
    for (let row = from; row < this.#ledger.length; row++) {
      if (key === undefined || this.#ledger.destinationKey(row) === key) yield row;
    }
  }

  clear(): void {
    this.#ledger.clear();
    this.#reassembly.clear();
    this.#hashes.clear();
    this.#parts.clear();
    this.#hashedRows = 0;
    this.#unhashedHeads = [];
    this.#doubledNumbers.clear();
    this.#counts = emptyCounts();
  }

  #hash(row: number, rows: readonly number[]): void {
    const texts = rows.map((each) => {
      const text = this.#ledger.text(each);
      // The reference in the header differs between repetitions.
      return rows.length === 1 ? text : text.subarray(parseUserDataHeader(text)?.octets ?? 0);
    });
    if (this.#hashes.add(messageHash(this.#ledger.destinationKey(row), texts))) return;
    this.#counts.doubled += 1;
    if (this.#doubledNumbers.size < 20) this.#doubledNumbers.add(this.#ledger.read(row).destination);
  }
}

function textOf(row: LedgerRow): string {
  return segmentText(row.bytes, row.esmClass, row.dataCoding);
}

function emptyCounts() {
  return {
    received: 0,
    segments: 0,
    messages: 0,
    doubled: 0,
    firstAt: null as number | null,
    lastAt: null as number | null,
    rejected: 0,
    throttled: 0,
    noAnswer: 0,
  };
}
