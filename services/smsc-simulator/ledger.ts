import type { MessageView } from '../../lib/smpp/read-message.ts';
import { PagedColumn, TextArena } from './columns.ts';

/** How a segment was answered. */
export const answerKinds = ['answered', 'noAnswer', 'disconnected'] as const;
export type AnswerKind = (typeof answerKinds)[number];

export interface LedgerRow {
  row: number;
  connection: number;
  source: string;
  destination: string;
  atMs: number;
  /** Number of the message id; 0 for a refused one. */
  messageNumber: number;
  commandStatus: number;
  answer: AnswerKind;
  esmClass: number;
  dataCoding: number;
  /** With its user data header. */
  bytes: Buffer;
  /** The message_payload TLV and the sar ones, where `bytes` does not say it all. */
  hasTlvs: boolean;
}

const maxPlainDigits = 15;

/**
 * Every submit_sm that came in, in columns: about 45 bytes a row and the text, mostly outside the JavaScript heap.
 * 5 million rows of 81 characters take 0.7 GB.
 */
export class Ledger {
  readonly #destinations = new PagedColumn((length) => new Float64Array(length));
  readonly #sources = new PagedColumn((length) => new Uint32Array(length));
  readonly #times = new PagedColumn((length) => new Float64Array(length));
  readonly #numbers = new PagedColumn((length) => new Float64Array(length));
  readonly #statuses = new PagedColumn((length) => new Uint32Array(length));
  readonly #connections = new PagedColumn((length) => new Uint32Array(length));
  readonly #textAt = new PagedColumn((length) => new Uint32Array(length));
  readonly #textLengths = new PagedColumn((length) => new Uint16Array(length));
  readonly #codings = new PagedColumn((length) => new Uint8Array(length));
  readonly #classes = new PagedColumn((length) => new Uint8Array(length));
  readonly #kinds = new PagedColumn((length) => new Uint8Array(length));
  readonly #arena = new TextArena();
  /** Interned: a batch has one sender, and destinations are numbers unless they are odd. */
  #strings: string[] = [];
  #stringIds = new Map<string, number>();
  #lastSource = Buffer.alloc(0);
  #lastSourceId = 0;
  length = 0;
  /** Texts not kept since 4 GiB of them are full. */
  textsDropped = 0;

  /** Returns the row. `payload`: a message_payload that takes the place of the short_message. */
  add(
    view: MessageView,
    connection: number,
    atMs: number,
    messageNumber: number,
    commandStatus: number,
    answer: AnswerKind,
    payload: Buffer | undefined,
  ): number {
    const row = this.length++;
    this.#destinations.set(row, this.#destination(view));
    this.#sources.set(row, this.#source(view));
    this.#times.set(row, atMs);
    this.#numbers.set(row, messageNumber);
    this.#statuses.set(row, commandStatus);
    this.#connections.set(row, connection);
    this.#codings.set(row, view.dataCoding);
    this.#classes.set(row, view.esmClass);
    this.#kinds.set(row, answerKinds.indexOf(answer) | (view.tlvStart < view.end ? 0x80 : 0));
    const bytes = payload ?? view.bytes;
    const from = payload === undefined ? view.shortMessageStart : 0;
    const to = payload === undefined ? view.shortMessageEnd : payload.length;
    const offset = this.#arena.add(bytes, from, to);
    if (offset === undefined) this.textsDropped += 1;
    this.#textAt.set(row, offset ?? 0);
    this.#textLengths.set(row, offset === undefined ? 0 : to - from);
    return row;
  }

  read(row: number): LedgerRow {
    const kind = this.#kinds.get(row);
    return {
      row,
      connection: this.#connections.get(row),
      source: this.#strings[this.#sources.get(row)]!,
      destination: this.#destinationText(this.#destinations.get(row)),
      atMs: this.#times.get(row),
      messageNumber: this.#numbers.get(row),
      commandStatus: this.#statuses.get(row),
      answer: answerKinds[kind & 0x7f]!,
      esmClass: this.#classes.get(row),
      dataCoding: this.#codings.get(row),
      bytes: this.text(row),
      hasTlvs: (kind & 0x80) !== 0,
    };
  }

  text(row: number): Buffer {
    return this.#arena.read(this.#textAt.get(row), this.#textLengths.get(row));
  }

  commandStatus(row: number): number {
    return this.#statuses.get(row);
  }

  /** What `read` would give as destination, as a number that is equal for equal ones. */
  destinationKey(row: number): number {
    return this.#destinations.get(row);
  }

  /** The key of a destination, or undefined if no row can have it. */
  keyOf(destination: string): number | undefined {
    if (/^[1-9][0-9]{0,14}$/.test(destination)) return Number(destination);
    const id = this.#stringIds.get(destination);
    return id === undefined ? undefined : -1 - id;
  }

  clear(): void {
    this.length = 0;
    this.textsDropped = 0;
    for (const column of [this.#destinations, this.#times, this.#numbers]) column.clear();
    for (const column of [this.#sources, this.#statuses, this.#connections, this.#textAt]) column.clear();
    for (const column of [this.#codings, this.#classes, this.#kinds]) column.clear();
    this.#textLengths.clear();
    this.#arena.clear();
    this.#strings = [];
    this.#stringIds = new Map();
    this.#lastSource = Buffer.alloc(0);
  }

  /** Up to 15 digits fit a double exactly; anything else (a zero in front, a +, letters) is interned. */
  #destination({ bytes, destinationStart: from, destinationEnd: to }: MessageView): number {
    let value = 0;
    if (to - from > 0 && to - from <= maxPlainDigits && bytes[from] !== 0x30) {
      let at = from;
      for (; at < to; at++) {
        const digit = bytes[at]! - 0x30;
        if (digit < 0 || digit > 9) break;
        value = value * 10 + digit;
      }
      if (at === to) return value;
    }
    return -1 - this.#intern(bytes.toString('latin1', from, to));
  }

  #destinationText(key: number): string {
    return key >= 0 ? String(key) : this.#strings[-1 - key]!;
  }

  #source({ bytes, sourceStart: from, sourceEnd: to }: MessageView): number {
    const last = this.#lastSource;
    let same = this.#strings.length > 0 && last.length === to - from;
    for (let i = 0; same && i < last.length; i++) same = last[i] === bytes[from + i];
    if (!same || this.#strings.length === 0) {
      this.#lastSource = Buffer.from(bytes.subarray(from, to));
      this.#lastSourceId = this.#intern(bytes.toString('latin1', from, to));
    }
    return this.#lastSourceId;
  }

  #intern(text: string): number {
    const known = this.#stringIds.get(text);
    if (known !== undefined) return known;
    const id = this.#strings.length;
    this.#strings.push(text);
    this.#stringIds.set(text, id);
    return id;
  }
}
