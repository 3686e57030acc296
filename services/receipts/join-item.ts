import {
  type DeliveryReceipt,
  type LateAnswer,
  RECEIPT_LETTERS,
  type ReceiptColumns,
  type ReceiptLetter,
} from '../../contracts/receipts.ts';
import { hashMsisdn } from '../../lib/phone/bucket.ts';
import { idKey, otherIdKeys } from '../../lib/receipts/id-keys.ts';
import { interned } from './interned.ts';
import type { ReceiptChunk } from './receipt-chunk.ts';

/** What carriers write where there is none: kept, it would be most of a receipt document. */
const NO_ERROR = /^0*$/;

/** Where a receipt may belong: its number is at this position of this chunk. */
export interface Candidate {
  chunk: string;
  position: number;
  parts: number;
}

/** Where a receipt comes from: a message of the stream, or a parked document. Has its text for the few that need it. */
export interface ReceiptSource {
  readonly provider: string;
  /** When it was read: performance.now(). */
  readonly sinceMs: number;
  /** When the first of its receipts reached us, ms since 1970. */
  readonly atMs: number;
  receiptAt(n: number): DeliveryReceipt;
}

/**
 * One receipt on its way to its chunk: numbers only. A hundred thousand of them wait in memory while a round is stored, and
 * one with its texts is twice as large and costs more to collect than to compare.
 */
export class JoinItem {
  readonly source: ReceiptSource;
  /** Its number within the source. */
  readonly n: number;
  readonly hasNumber: boolean;
  readonly letter: ReceiptLetter;
  readonly error: string;
  /** Which of the account's lives is looked at next. */
  cursor = 0;
  joined = false;
  /** The place that is compared with; once joined, the place where it is. */
  position = 0;
  /** Messages on air at that place. */
  parts = 1;
  /** Which of them this receipt is for. */
  part = 0;
  /** Where its number was found without an id to compare with: worth another look soon. */
  awaiting: Candidate[] | undefined = undefined;
  // As signed 32-bit numbers: V8 keeps those in the object, and everything above 2^31 outside of it.
  readonly #hash: number;
  readonly #key: number;
  /** Behind the source's first. */
  readonly #laterMs: number;
  /** Of the id's other forms, once its own has not fitted. */
  #otherKeys: readonly number[] | undefined = undefined;

  constructor(source: ReceiptSource, n: number, { hasNumber, hash, key, letter, error, laterMs }: JoinFacts) {
    this.source = source;
    this.n = n;
    this.hasNumber = hasNumber;
    this.letter = letter;
    this.error = error;
    this.#laterMs = laterMs;
    this.#hash = hash | 0;
    this.#key = key | 0;
  }

  /** Of the number, unsigned; meaningless when it is missing. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  get provider(): string {
    return this.source.provider;
  }

  get sinceMs(): number {
    return this.source.sinceMs;
  }

  get atMs(): number {
    return this.source.atMs + this.#laterMs;
  }

  get text(): DeliveryReceipt {
    return this.source.receiptAt(this.n);
  }

  /** The part of the message at a position that this receipt is for; -1: it is for another message. */
  partOf(chunk: ReceiptChunk, position: number): number {
    const part = chunk.partOf(position, this.#key >>> 0);
    if (part !== -1 || chunk.idCount(position) === 0) return part;
    this.#otherKeys ??= otherIdKeys(this.text.messageId);
    for (const key of this.#otherKeys) {
      const other = chunk.partOf(position, key);
      if (other !== -1) return other;
    }
    return -1;
  }

  awaits(chunk: string, position: number, parts: number): void {
    const candidate = { chunk, position, parts };
    if (this.awaiting) this.awaiting.push(candidate);
    else this.awaiting = [candidate];
  }
}

/** What is compared of a receipt. */
export interface JoinFacts {
  hasNumber: boolean;
  hash: number;
  key: number;
  letter: ReceiptLetter;
  /** '' = none. */
  error: string;
  laterMs: number;
}

const factsOf = (
  { messageId, msisdn, state, error, atMs }: DeliveryReceipt,
  source: ReceiptSource,
): JoinFacts => ({
  hasNumber: msisdn !== '',
  hash: hashMsisdn(msisdn, startOfNumber(msisdn, 0)),
  key: idKey(messageId),
  letter: RECEIPT_LETTERS[state],
  error: error === undefined || NO_ERROR.test(error) ? '' : interned(error),
  laterMs: atMs - source.atMs,
});

export const itemOf = (receipt: DeliveryReceipt, n: number, source: ReceiptSource): JoinItem =>
  new JoinItem(source, n, factsOf(receipt, source));

export function areEquallyLong(columns: ReceiptColumns): boolean {
  const { messageIds, msisdns, states, errors, senders, texts, submitToDoneMs } = columns;
  const lines = [messageIds, msisdns, ...(errors === undefined ? [] : [errors])];
  if (!lines.every((column) => linesOf(column) === states.length)) return false;
  return [senders, texts, submitToDoneMs].every(
    (column) => column === undefined || !column.includes('\n') || linesOf(column) === states.length,
  );
}

function linesOf(text: string): number {
  let lines = 1;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}

/** One item a line of the columns, which are equally long. Texts are read where they stand. */
export function itemsOfColumns(
  { messageIds, msisdns, states, errors }: ReceiptColumns,
  source: ReceiptSource,
): JoinItem[] {
  const codes = errors?.split('\n');
  // One for all: it is only read from.
  const facts: JoinFacts = { hasNumber: false, hash: 0, key: 0, letter: 'd', error: '', laterMs: 0 };
  let idAt = 0;
  let numberAt = 0;
  const items = new Array<JoinItem>(states.length);
  for (let n = 0; n < states.length; n++) {
    const idEnd = endOfLine(messageIds, idAt);
    const numberEnd = endOfLine(msisdns, numberAt);
    facts.hasNumber = numberEnd > numberAt;
    facts.hash = hashMsisdn(msisdns, startOfNumber(msisdns, numberAt), numberEnd);
    facts.key = idKey(messageIds, idAt, idEnd);
    facts.letter = states[n] as ReceiptLetter;
    if (codes) facts.error = NO_ERROR.test(codes[n]!) ? '' : interned(codes[n]!);
    idAt = idEnd + 1;
    numberAt = numberEnd + 1;
    items[n] = new JoinItem(source, n, facts);
  }
  return items;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}

/** Numbers are placed as digits; a carrier may add what stands before an international number. */
function startOfNumber(text: string, from: number): number {
  if (text[from] === '+') return from + 1;
  return text.startsWith('00', from) ? from + 2 : from;
}

/** A number as recipients' are stored. */
export const digitsOf = (msisdn: string): string => msisdn.slice(startOfNumber(msisdn, 0));

/** An answer about chunk and position, from a sender that had lost its task. */
export interface LateItem {
  answer: LateAnswer;
  source: object;
  joined: boolean;
}
