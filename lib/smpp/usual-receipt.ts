import { readLatin1 } from './latin1.ts';
import type { MessageView } from './read-message.ts';
import { betweenDates, QUOTED_LENGTH, type ReceiptState, stateByNumber } from './receipt.ts';
import { tlvTable } from './tlv.ts';

const octets = (text: string): Uint8Array => Buffer.from(text, 'latin1');

const ID = octets('id:');
/** What stands between the id and the state, each followed by digits. */
const NUMBERS = [' sub:', ' dlvrd:'].map(octets);
const SUBMIT_DATE = octets(' submit date:');
const DONE_DATE = octets(' done date:');
const STATE = octets(' stat:');
const ERROR = octets(' err:');
const TEXT = octets(' text:');

const WORDS: readonly [word: Uint8Array, state: ReceiptState][] = (
  [
    ['DELIVRD', 'delivered'],
    ['UNDELIV', 'undeliverable'],
    ['EXPIRED', 'expired'],
    ['REJECTD', 'rejected'],
    ['DELETED', 'deleted'],
    ['ACCEPTD', 'accepted'],
    ['ENROUTE', 'enroute'],
    ['UNKNOWN', 'unknown'],
  ] as const
).map(([word, state]) => [octets(word), state]);
const WORD_LENGTH = 7;

const ZERO = 0x30;
const RECEIPT_BITS = 0x3c;
const RECEIPT_TYPE = 0x04;

/**
 * The receipt that most carriers send: the text of SMPP 3.4's appendix B to the letter, with or without the TLVs
 * receipted_message_id and message_state. Read where it lies in the socket's buffer, since at full speed each message has
 * one; anything else is parseReceipt's, to which a test holds this one. Filled anew by each `read`.
 */
export class UsualReceipt {
  messageId = '';
  state: ReceiptState = 'unknown';
  /** `err:`, '' where it is all zeros, which stands for none. */
  networkError = '';
  /** Beginning of the original text, one character an octet; '' for none. */
  text = '';
  /** From the submit date to the done date; undefined for none. */
  submitToDoneMs: number | undefined = undefined;
  #dates = { submitted: '', done: '', apartMs: undefined as number | undefined };

  /** @returns false, with nothing of use in the fields, for any other message */
  read(view: MessageView): boolean {
    return (view.esmClass & RECEIPT_BITS) === RECEIPT_TYPE && this.#readText(view) && this.#readTlvs(view);
  }

  #readText({ bytes, shortMessageStart, shortMessageEnd: end }: MessageView): boolean {
    const idStart = behind(ID, bytes, shortMessageStart, end);
    let at = whileIn(bytes, idStart, end, 0x21, 0x7e);
    if (idStart < 0 || at === idStart) return false;
    const idEnd = at;
    for (const key of NUMBERS) {
      const digits = behind(key, bytes, at, end);
      at = whileIn(bytes, digits, end, ZERO, 0x39);
      if (digits < 0 || at === digits) return false;
    }
    const submitStart = behind(SUBMIT_DATE, bytes, at, end);
    const submitEnd = whileIn(bytes, submitStart, end, ZERO, 0x39);
    if (submitStart < 0 || submitEnd === submitStart) return false;
    const doneStart = behind(DONE_DATE, bytes, submitEnd, end);
    at = whileIn(bytes, doneStart, end, ZERO, 0x39);
    if (doneStart < 0 || at === doneStart) return false;
    const doneEnd = at;
    at = behind(STATE, bytes, at, end);
    const state = at < 0 ? undefined : stateAt(bytes, at, end);
    if (state === undefined) return false;
    const errorStart = behind(ERROR, bytes, at + WORD_LENGTH, end);
    if (errorStart < 0) return false;
    at = whileAlphanumeric(bytes, errorStart, end);
    const textStart = at < end ? behind(TEXT, bytes, at, end) : end;
    if (at === errorStart || textStart < 0) return false;
    this.#readQuoted(bytes, textStart, Math.min(end, textStart + QUOTED_LENGTH));
    this.#readDates(bytes, submitStart, submitEnd, doneStart, doneEnd);
    this.messageId = readLatin1(bytes, idStart, idEnd);
    this.state = state;
    this.networkError =
      whileIn(bytes, errorStart, at, ZERO, ZERO) === at ? '' : readLatin1(bytes, errorStart, at);
    return true;
  }

  /** The same text and dates mostly come many times in a row. */
  #readQuoted(bytes: Buffer, from: number, end: number): void {
    if (!isText(this.text, bytes, from, end)) this.text = readLatin1(bytes, from, end);
  }

  #readDates(bytes: Buffer, submitFrom: number, submitEnd: number, doneFrom: number, doneEnd: number) {
    const known = this.#dates;
    if (
      !isText(known.submitted, bytes, submitFrom, submitEnd) ||
      !isText(known.done, bytes, doneFrom, doneEnd)
    ) {
      known.submitted = readLatin1(bytes, submitFrom, submitEnd);
      known.done = readLatin1(bytes, doneFrom, doneEnd);
      known.apartMs = betweenDates(known.submitted, known.done);
    }
    this.submitToDoneMs = known.apartMs;
  }

  /** The TLVs win over the text, which may cut the id. */
  #readTlvs({ bytes, tlvStart, end }: MessageView): boolean {
    for (let at = tlvStart; at + 4 <= end; ) {
      const tag = readUint16(bytes, at);
      const from = at + 4;
      at = from + readUint16(bytes, at + 2);
      if (at > end) return false;
      if (tag === tlvTable.receipted_message_id.tag) {
        const nul = whileIn(bytes, from, at, 0x21, 0x7e);
        if (nul === from || bytes[nul] !== 0) return false;
        // Mostly the same as in the text.
        if (!isText(this.messageId, bytes, from, nul)) this.messageId = readLatin1(bytes, from, nul);
      } else if (tag === tlvTable.message_state.tag) {
        const state = at === from + 1 ? stateByNumber[bytes[from]!] : undefined;
        if (state === undefined) return false;
        this.state = state;
      }
    }
    return true;
  }
}

const readUint16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

function isText(text: string, bytes: Uint8Array, from: number, end: number): boolean {
  if (text.length !== end - from) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
}

/** The first octet behind `key`, -1 if it does not stand at `from`. */
function behind(key: Uint8Array, bytes: Uint8Array, from: number, end: number): number {
  const length = key.length;
  if (from < 0 || from + length > end) return -1;
  for (let i = 0; i < length; i++) if (bytes[from + i] !== key[i]) return -1;
  return from + length;
}

function whileIn(bytes: Uint8Array, from: number, end: number, lowest: number, highest: number): number {
  let at = from;
  while (at >= 0 && at < end && bytes[at]! >= lowest && bytes[at]! <= highest) at++;
  return at;
}

function whileAlphanumeric(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  for (; at < end; at++) {
    const lower = bytes[at]! | 0x20;
    const isDigit = bytes[at]! >= ZERO && bytes[at]! <= 0x39;
    if (!isDigit && !(lower >= 0x61 && lower <= 0x7a)) break;
  }
  return at;
}

function stateAt(bytes: Uint8Array, at: number, end: number): ReceiptState | undefined {
  for (const [word, state] of WORDS) if (behind(word, bytes, at, end) >= 0) return state;
  return undefined;
}
