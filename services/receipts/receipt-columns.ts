import { noReceipts, type OutcomeLetter, type ReceiptCounts } from '../../contracts/outcomes.ts';
import { RECEIPT_LETTERS } from '../../contracts/receipts.ts';
import type { ReceiptDocument } from '../../lib/store/chunk-documents.ts';
import { joinColumn, splitColumn } from '../../lib/store/columns.ts';
import { joinLateAnswers, type LateAnswerEntry } from '../../lib/store/merge-outcomes.ts';
import { decodeTimes } from '../../lib/store/outcome-columns.ts';
import { NO_RECEIPT, receiptRank } from '../../lib/store/receipt-lattice.ts';
import { interned } from './interned.ts';

const NONE = NO_RECEIPT.charCodeAt(0);
const DELIVERED = RECEIPT_LETTERS.delivered.charCodeAt(0);
const ACCEPTED_OUTCOME = 'a' satisfies OutcomeLetter;
const UNKNOWN_OUTCOME = 'u' satisfies OutcomeLetter;

const RANKS = Uint8Array.from({ length: 128 }, (_, code) => receiptRank(String.fromCharCode(code)));
/** From here on the carrier has given the message up, save `delivered`, the last of all. */
const GIVEN_UP_RANK = receiptRank(RECEIPT_LETTERS.deleted);

const COUNTER_OF: Readonly<Record<string, keyof ReceiptCounts>> = {
  [RECEIPT_LETTERS.delivered]: 'delivered',
  [RECEIPT_LETTERS.undelivered]: 'undelivered',
  [RECEIPT_LETTERS.rejected]: 'undelivered',
  [RECEIPT_LETTERS.deleted]: 'undelivered',
  [RECEIPT_LETTERS.expired]: 'expiredAtCarrier',
};

/** The columns of one receipt document, decoded once, changed by position, encoded once a write. */
export class ReceiptColumns {
  readonly size: number;
  version: number;
  changed = false;
  readonly #states: Uint8Array;
  #errors: string[] | undefined;
  readonly #times: Float64Array;
  /** Letters a part, of messages that have several. */
  readonly #parts = new Map<number, Uint8Array>();
  #lateAnswers: LateAnswerEntry[];

  constructor(size: number, document?: ReceiptDocument | null) {
    this.size = size;
    this.version = document?.version ?? 0;
    this.#states = new Uint8Array(size).fill(NONE);
    this.#times = new Float64Array(size);
    this.#lateAnswers = [...(document?.lateAnswers ?? [])];
    if (!document) return;
    for (let i = 0; i < document.states.length; i++) this.#states[i] = document.states.charCodeAt(i);
    if (document.errors !== '') this.#errors = splitColumn(document.errors, size).map(interned);
    if (document.times !== '') {
      const times = decodeTimes(document.times, document.timesFromMs, size);
      for (let i = 0; i < size; i++) this.#times[i] = times[i] ?? 0;
    }
    if (document.parts) {
      const parts = splitColumn(document.parts, size);
      for (let i = 0; i < size; i++) if (parts[i]) this.#parts.set(i, Buffer.from(parts[i]!, 'latin1'));
    }
  }

  get lateAnswers(): readonly LateAnswerEntry[] {
    return this.#lateAnswers;
  }

  lateAnswerAt(position: number): LateAnswerEntry | undefined {
    return this.#lateAnswers.find((answer) => answer.position === position);
  }

  hasState(position: number): boolean {
    return this.#states[position] !== NONE;
  }

  /**
   * Takes a receipt for part `part` of a message of `parts`. A state only moves forward; the same receipt again, in
   * whatever order, changes nothing.
   */
  join(position: number, part: number, parts: number, letter: string, error: string, atMs: number): void {
    const code = letter.charCodeAt(0);
    if (parts <= 1) {
      this.#move(position, code, error, atMs);
      return;
    }
    let letters = this.#parts.get(position);
    if (!letters || letters.length <= part || letters.length < parts) {
      const longer = new Uint8Array(Math.max(parts, part + 1, letters?.length ?? 0)).fill(NONE);
      if (letters) longer.set(letters);
      letters = longer;
      this.#parts.set(position, letters);
    }
    if (RANKS[code]! > RANKS[letters[part]!]!) {
      letters[part] = code;
      this.changed = true;
    }
    const whole = wholeOf(letters, code);
    // The time stays that of the receipt which decided: a repetition of another part's is no news.
    if (whole !== this.#states[position]) this.#move(position, whole, error, atMs);
  }

  #move(position: number, code: number, error: string, atMs: number): void {
    const rank = RANKS[code]!;
    const before = this.#states[position]!;
    if (rank < RANKS[before]! || rank === 0) return;
    const same = code === before;
    // A doubled receipt reaches us later: the earlier stays.
    if (same && atMs >= this.#times[position]!) return;
    this.#states[position] = code;
    this.#times[position] = atMs;
    if (error !== '' || this.#errors) {
      this.#errors ??= new Array<string>(this.size).fill('');
      this.#errors[position] = error;
    }
    this.changed = true;
  }

  /** Accepted beats rejected, the earlier the later: whatever the order and doubling. */
  answerLate(answer: LateAnswerEntry): void {
    const at = this.#lateAnswers.findIndex((known) => known.position === answer.position);
    const known = this.#lateAnswers[at];
    const joined = known ? joinLateAnswers(known, answer) : answer;
    if (joined === known) return;
    if (known && JSON.stringify(known) === JSON.stringify(joined)) return;
    this.#lateAnswers = this.#lateAnswers.filter((_, i) => i !== at);
    this.#lateAnswers.push(joined);
    this.#lateAnswers.sort((a, b) => a.position - b.position);
    this.changed = true;
  }

  /**
   * Counts what receipts say of the accepted ones. `uncounted`: states of messages that are not accepted yet, so that
   * a reader knows when these counts may be behind the outcome document.
   */
  counts(statuses: string): { counts: ReceiptCounts; uncounted: number } {
    const counts = noReceipts();
    let uncounted = 0;
    for (let i = 0; i < this.size; i++) {
      const code = this.#states[i]!;
      if (code === NONE) continue;
      const status = statuses[i];
      if (status !== ACCEPTED_OUTCOME && status !== UNKNOWN_OUTCOME) {
        uncounted += 1;
        continue;
      }
      const counter = COUNTER_OF[String.fromCharCode(code)];
      if (counter) counts[counter] += 1;
    }
    return { counts, uncounted };
  }

  /** The columns as they are stored. */
  encode(): Pick<ReceiptDocument, 'states' | 'errors' | 'times' | 'timesFromMs' | 'lateAnswers'> & {
    parts: string;
  } {
    return {
      states: Buffer.from(this.#states.buffer).toString('latin1'),
      errors: this.#errors ? joinColumn(this.#errors) : '',
      ...encodeTimes(this.#states, this.#times),
      parts: this.#encodeParts(),
      lateAnswers: this.#lateAnswers,
    };
  }

  #encodeParts(): string {
    if (this.#parts.size === 0) return '';
    return Array.from({ length: this.size }, (_, i) => {
      const letters = this.#parts.get(i);
      return letters ? Buffer.from(letters).toString('latin1') : '';
    }).join('\n');
  }
}

/**
 * What a message of several parts is: delivered only when all of them are, not delivered from the first that the carrier
 * gave up, else what the last of them is. The same in whatever order they come, since #move only goes forward.
 */
function wholeOf(letters: Uint8Array, incoming: number): number {
  let lowest = DELIVERED;
  for (const letter of letters) if (RANKS[letter]! < RANKS[lowest]!) lowest = letter;
  const givenUp = incoming !== DELIVERED && RANKS[incoming]! >= GIVEN_UP_RANK;
  return givenUp && lowest !== DELIVERED ? incoming : lowest;
}

const BASE_36: readonly string[] = Array.from({ length: 36 ** 2 }, (_, n) => n.toString(36));
const PADDED: readonly string[] = BASE_36.map((digits) => digits.padStart(2, '0'));

/** Receipts are spread over minutes: a string from tables, as toString(36) costs more than the rest of a write. */
function base36(n: number): string {
  if (n < 1_296) return BASE_36[n]!;
  if (n < 1_679_616) return BASE_36[Math.floor(n / 1_296)]! + PADDED[n % 1_296]!;
  return n.toString(36);
}

function encodeTimes(states: Uint8Array, times: Float64Array): { times: string; timesFromMs: number } {
  let fromMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < times.length; i++) if (states[i] !== NONE && times[i]! < fromMs) fromMs = times[i]!;
  if (fromMs === Number.POSITIVE_INFINITY) return { times: '', timesFromMs: 0 };
  let joined = '';
  for (let i = 0; i < times.length; i++) {
    if (i > 0) joined += '\n';
    if (states[i] !== NONE) joined += base36(times[i]! - fromMs);
  }
  return { times: joined, timesFromMs: fromMs };
}
