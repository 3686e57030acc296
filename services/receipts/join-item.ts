import type { DeliveryReceipt, LateAnswer } from '../../contracts/receipts.ts';
import { hashMsisdn } from '../../lib/phone/bucket.ts';
import { idKey, isLongNumber, otherIdKeys, shortNumberKeys } from '../../lib/receipts/id-keys.ts';
import { RECEIPT_LETTERS, type ReceiptLetter } from '../../lib/store/receipt-lattice.ts';
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
  readonly provider: string;
  readonly sinceMs: number;
  readonly hasNumber: boolean;
  readonly letter: ReceiptLetter;
  readonly error: string;
  readonly atMs: number;
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
  readonly #fromDecimal: number;
  readonly #fromHexadecimal: number;
  readonly #long: boolean;
  #longKeys: number[] | undefined = undefined;

  constructor(receipt: DeliveryReceipt, n: number, provider: string, source: ReceiptSource, sinceMs: number) {
    const { messageId, msisdn, state, error, atMs } = receipt;
    this.source = source;
    this.n = n;
    this.provider = provider;
    this.sinceMs = sinceMs;
    this.hasNumber = msisdn !== '';
    this.letter = RECEIPT_LETTERS[state];
    this.error = error === undefined || NO_ERROR.test(error) ? '' : interned(error);
    this.atMs = atMs;
    this.#hash = hashMsisdn(numberOf(msisdn)) | 0;
    this.#key = idKey(messageId) | 0;
    const { fromDecimal, fromHexadecimal } = shortNumberKeys(messageId);
    this.#fromDecimal = fromDecimal | 0;
    this.#fromHexadecimal = fromHexadecimal | 0;
    this.#long = isLongNumber(messageId);
  }

  /** Of the number, unsigned; meaningless when it is missing. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  get text(): DeliveryReceipt {
    return this.source.receiptAt(this.n);
  }

  /** The part of the message at a position that this receipt is for; -1: it is for another message. */
  partOf(chunk: ReceiptChunk, position: number): number {
    let part = chunk.partOf(position, this.#key >>> 0);
    if (part !== -1 || chunk.idCount(position) === 0) return part;
    if (this.#fromDecimal !== 0) part = chunk.partOf(position, this.#fromDecimal >>> 0);
    if (part === -1 && this.#fromHexadecimal !== 0)
      part = chunk.partOf(position, this.#fromHexadecimal >>> 0);
    if (part !== -1 || !this.#long) return part;
    this.#longKeys ??= otherIdKeys(this.text.messageId);
    for (const key of this.#longKeys) {
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

/** Numbers are placed as digits; a carrier may add what stands before an international number. */
export function numberOf(msisdn: string): string {
  if (msisdn.startsWith('+')) return msisdn.slice(1);
  return msisdn.startsWith('00') ? msisdn.slice(2) : msisdn;
}

/** An answer about chunk and position, from a sender that had lost its task. */
export interface LateItem {
  answer: LateAnswer;
  source: object;
  joined: boolean;
}
