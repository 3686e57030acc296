import type { DeliveryReceipt, LateAnswer } from '../../contracts/receipts.ts';
import { hashMsisdn } from '../../lib/phone/bucket.ts';
import { idKey, otherIdKeys } from '../../lib/receipts/id-keys.ts';
import type { ReceiptChunk } from './receipt-chunk.ts';

/** Where a receipt may belong: its number is at this position of this chunk. */
export interface Candidate {
  chunk: string;
  position: number;
  parts: number;
}

/**
 * One receipt on its way to its chunk. The one object that is made for it: there are a hundred thousand a second, and what
 * each needs more costs more than all the comparing.
 */
export class JoinItem {
  readonly receipt: DeliveryReceipt;
  readonly provider: string;
  /** What is to be settled when it is stored: its message, or its parked document. */
  readonly source: object;
  readonly sinceMs: number;
  /** Of the number; meaningless when it is missing. */
  readonly hash: number;
  readonly key: number;
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
  #otherKeys: number[] | undefined = undefined;

  constructor(receipt: DeliveryReceipt, provider: string, source: object, sinceMs: number) {
    this.receipt = receipt;
    this.provider = provider;
    this.source = source;
    this.sinceMs = sinceMs;
    this.hash = hashMsisdn(numberOf(receipt.msisdn));
    this.key = idKey(receipt.messageId);
  }

  get hasNumber(): boolean {
    return this.receipt.msisdn !== '';
  }

  /** The part of the message at a position that this receipt is for; -1: it is for another message. */
  partOf(chunk: ReceiptChunk, position: number): number {
    const part = chunk.partOf(position, this.key);
    if (part !== -1 || chunk.idCount(position) === 0) return part;
    for (const key of this.otherKeys) {
      const other = chunk.partOf(position, key);
      if (other !== -1) return other;
    }
    return -1;
  }

  get otherKeys(): readonly number[] {
    this.#otherKeys ??= otherIdKeys(this.receipt.messageId);
    return this.#otherKeys;
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
