import {
  noOutcomes,
  OUTCOME_LETTERS,
  OUTCOME_OF_LETTER,
  type OutcomeCounts,
  type OutcomeLetter,
} from '../../contracts/outcomes.ts';
import type { OutcomeColumns, WaitingMessage } from './chunk-documents.ts';
import { joinColumn, splitColumn } from './columns.ts';

/** In `facts` only: nothing is known of this position since the last write of its chunk. */
export const NO_FACT = '.';

const codeOf = (letter: string): number => letter.charCodeAt(0);
const PENDING = codeOf(OUTCOME_LETTERS.pending);
const NOTHING = codeOf(NO_FACT);

/** Counts of a `statuses` column. Throws where a letter is none: a document that we did not write. */
export function countStatuses(statuses: string): OutcomeCounts {
  const counts = noOutcomes();
  for (let i = 0; i < statuses.length; i++) {
    const outcome = OUTCOME_OF_LETTER[statuses[i] as OutcomeLetter];
    if (outcome === undefined) throw new RangeError(`"${statuses[i]}" at ${i} is no outcome letter`);
    counts[outcome] += 1;
  }
  return counts;
}

/** What `preparation` inserts: outcomes by position, no answers yet. */
export function initialColumns(statuses: string, codes: readonly string[] = []): OutcomeColumns {
  return {
    statuses,
    ids: '',
    codes: codes.some((code) => code !== '') ? joinColumn(codes) : '',
    times: '',
    timesFromMs: 0,
    waiting: [],
  };
}

/** Newline-joined ms since `fromMs`, base 36; 0 in `times` stands for none. */
function encodeTimes(times: Float64Array): { times: string; timesFromMs: number } {
  let fromMs = Number.POSITIVE_INFINITY;
  for (const time of times) if (time !== 0 && time < fromMs) fromMs = time;
  if (fromMs === Number.POSITIVE_INFINITY) return { times: '', timesFromMs: 0 };
  let joined = '';
  for (let i = 0; i < times.length; i++) {
    if (i > 0) joined += '\n';
    const time = times[i]!;
    if (time !== 0) joined += BASE_36[time - fromMs] ?? (time - fromMs).toString(36);
  }
  return { times: joined, timesFromMs: fromMs };
}

/** A chunk's answers lie within a second or two: no new string for each of them. */
const BASE_36: readonly string[] = Array.from({ length: 2048 }, (_, ms) => ms.toString(36));

/** The times of a `times` column in ms since 1970; undefined = none. */
export function decodeTimes(joined: string, fromMs: number, size: number): (number | undefined)[] {
  if (joined === '') return new Array<number | undefined>(size).fill(undefined);
  return joined.split('\n').map((text) => (text === '' ? undefined : fromMs + Number.parseInt(text, 36)));
}

/**
 * The outcomes of one chunk while its messages are being sent. Knows what has changed since the chunk was last
 * stored (`facts`), and keeps the vector of counts that goes out in the same write.
 */
export class OpenChunk {
  readonly size: number;
  readonly counts: OutcomeCounts = noOutcomes();
  readonly #statuses: Buffer;
  readonly #ids: string[];
  readonly #codes: string[];
  readonly #times: Float64Array;
  readonly #waiting = new Map<number, WaitingMessage>();
  /** Change number of each position, and the change that the last stored write has seen. */
  readonly #changes: Uint32Array;
  #change = 0;
  #stored = 0;
  #hasIds = false;
  #hasCodes = false;
  #encoded: { change: number; columns: OutcomeColumns } | undefined;

  constructor(columns: OutcomeColumns) {
    this.size = columns.statuses.length;
    this.#statuses = Buffer.from(columns.statuses, 'latin1');
    this.#ids = splitColumn(columns.ids, this.size);
    this.#codes = splitColumn(columns.codes, this.size);
    this.#times = new Float64Array(this.size);
    this.#changes = new Uint32Array(this.size);
    if (columns.times !== '') {
      const times = decodeTimes(columns.times, columns.timesFromMs, this.size);
      for (let i = 0; i < this.size; i++) this.#times[i] = times[i] ?? 0;
    }
    this.#hasIds = columns.ids !== '';
    this.#hasCodes = columns.codes !== '';
    for (const entry of columns.waiting) this.#waiting.set(entry.position, entry);
    Object.assign(this.counts, countStatuses(columns.statuses));
  }

  letterAt(position: number): OutcomeLetter {
    return String.fromCharCode(this.#statuses[position]!) as OutcomeLetter;
  }

  isPending(position: number): boolean {
    return this.#statuses[position] === PENDING;
  }

  waitingAt(position: number): WaitingMessage | undefined {
    return this.#waiting.get(position);
  }

  get waiting(): IterableIterator<WaitingMessage> {
    return this.#waiting.values();
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Sets a final outcome (or `unknown`). `messageId`: the parts' ids joined by a space. */
  set(position: number, letter: OutcomeLetter, code: string, messageId: string, atMs: number): void {
    const before = OUTCOME_OF_LETTER[this.letterAt(position)];
    const after = OUTCOME_OF_LETTER[letter];
    this.counts[before] -= 1;
    this.counts[after] += 1;
    this.#statuses[position] = codeOf(letter);
    this.#ids[position] = messageId;
    this.#codes[position] = code;
    this.#times[position] = atMs;
    if (messageId !== '') this.#hasIds = true;
    if (code !== '') this.#hasCodes = true;
    if (this.#waiting.size > 0) this.#waiting.delete(position);
    this.#touch(position);
  }

  /** Keeps a message pending with what is known of its attempts; `code` is the last refusal's. */
  wait(entry: WaitingMessage, code = '', messageIds = ''): void {
    if (!this.isPending(entry.position)) {
      throw new RangeError(`position ${entry.position} is ${this.letterAt(entry.position)}, not pending`);
    }
    this.#waiting.set(entry.position, entry);
    this.#codes[entry.position] = code;
    this.#ids[entry.position] = messageIds;
    if (code !== '') this.#hasCodes = true;
    if (messageIds !== '') this.#hasIds = true;
    this.#touch(entry.position);
  }

  /** Ids of the parts accepted so far, of a message that waits for its rest. */
  idsAt(position: number): string {
    return this.#ids[position]!;
  }

  codeAt(position: number): string {
    return this.#codes[position]!;
  }

  /** All columns, for the outcome document. Kept until the next change: facts and the chunk's write are often the same. */
  encode(): OutcomeColumns {
    if (this.#encoded?.change === this.#change) return this.#encoded.columns;
    const columns = {
      statuses: this.#statuses.toString('latin1'),
      ids: this.#hasIds ? joinColumn(this.#ids) : '',
      codes: this.#hasCodes ? joinColumn(this.#codes) : '',
      ...encodeTimes(this.#times),
      waiting: [...this.#waiting.values()],
    };
    this.#encoded = { change: this.#change, columns };
    return columns;
  }

  /** Marks the state that an outcome write carries; given to `stored` once the write is acknowledged. */
  get change(): number {
    return this.#change;
  }

  /** The outcome document holds everything up to this change. */
  stored(change: number): void {
    if (change > this.#stored) this.#stored = change;
  }

  get hasFacts(): boolean {
    return this.#change > this.#stored;
  }

  /** Only what is not stored yet, for the task document; undefined when that is nothing. */
  facts(): OutcomeColumns | undefined {
    if (!this.hasFacts) return undefined;
    // A chunk that was never stored is all facts: no second pass over it.
    if (this.#stored === 0 && this.#change >= this.size) return this.encode();
    const statuses = Buffer.alloc(this.size, NOTHING);
    const ids = new Array<string>(this.size).fill('');
    const codes = new Array<string>(this.size).fill('');
    const times = new Float64Array(this.size);
    const waiting: WaitingMessage[] = [];
    let hasIds = false;
    let hasCodes = false;
    for (let i = 0; i < this.size; i++) {
      if (this.#changes[i]! <= this.#stored) continue;
      statuses[i] = this.#statuses[i]!;
      ids[i] = this.#ids[i]!;
      codes[i] = this.#codes[i]!;
      times[i] = this.#times[i]!;
      if (ids[i] !== '') hasIds = true;
      if (codes[i] !== '') hasCodes = true;
      const entry = this.#waiting.get(i);
      if (entry) waiting.push(entry);
    }
    return {
      statuses: statuses.toString('latin1'),
      ids: hasIds ? joinColumn(ids) : '',
      codes: hasCodes ? joinColumn(codes) : '',
      ...encodeTimes(times),
      waiting,
    };
  }

  /**
   * Lays what a last holder knew over what its chunk's document says. A final outcome in the document stays: facts
   * are older than a write that came after them.
   */
  overlay(facts: OutcomeColumns): void {
    const ids = splitColumn(facts.ids, this.size);
    const codes = splitColumn(facts.codes, this.size);
    const times = decodeTimes(facts.times, facts.timesFromMs, this.size);
    const waiting = new Map(facts.waiting.map((entry) => [entry.position, entry]));
    for (let i = 0; i < this.size; i++) {
      const letter = facts.statuses[i]!;
      if (letter === NO_FACT || !this.isPending(i)) continue;
      if (letter !== OUTCOME_LETTERS.pending) {
        this.set(i, letter as OutcomeLetter, codes[i]!, ids[i]!, times[i] ?? 0);
        continue;
      }
      const entry = waiting.get(i);
      if (entry && !isOlder(entry, this.#waiting.get(i))) this.wait(entry, codes[i]!, ids[i]!);
    }
  }

  #touch(position: number): void {
    this.#change += 1;
    this.#changes[position] = this.#change;
  }
}

const isOlder = (entry: WaitingMessage, known: WaitingMessage | undefined): boolean =>
  known !== undefined &&
  (entry.attempts < known.attempts ||
    (entry.attempts === known.attempts && entry.partsAccepted < known.partsAccepted));
