import { OUTCOME_LETTERS } from '../../contracts/outcomes.ts';
import { idKey } from '../../lib/receipts/id-keys.ts';
import type { OutcomeDocument, ReceiptDocument } from '../../lib/store/chunk-documents.ts';
import { splitColumn } from '../../lib/store/columns.ts';
import type { LateAnswerEntry } from '../../lib/store/merge-outcomes.ts';
import { ReceiptColumns } from './receipt-columns.ts';

/** What joining needs of an outcome document. */
export const OUTCOME_PROJECTION = {
  size: 1,
  task: 1,
  statuses: 1,
  ids: 1,
  counts: 1,
  provider: 1,
  sentFromMs: 1,
  ownerSeq: 1,
} as const;
export type SentChunk = Pick<
  OutcomeDocument,
  '_id' | 'size' | 'task' | 'statuses' | 'ids' | 'counts' | 'ownerSeq'
> &
  Partial<Pick<OutcomeDocument, 'provider' | 'sentFromMs'>>;

const OPEN = new Set<string>([OUTCOME_LETTERS.pending, OUTCOME_LETTERS.inFlight, OUTCOME_LETTERS.unknown]);

/** One chunk in the memory of services/receipts: keys of its message ids, and its receipt document. */
export class ReceiptChunk {
  readonly id: string;
  readonly size: number;
  /** Task number of the delivery step. */
  readonly task: number;
  columns: ReceiptColumns;
  statuses = '';
  provider: string | undefined;
  sentFromMs: number | undefined;
  /** No more ids are to come from its sender. */
  settled = false;
  loadedAtMs = 0;
  #keys = new Uint32Array(0);
  /** First key of each position; absent while every message has one part. */
  #starts: Uint32Array | undefined;
  /** Keys of ids that only late answers brought, and the parts that they stand for: those without one. */
  #lateKeys = new Map<number, { key: number; part: number }[]>();

  constructor(sent: SentChunk, receipts: ReceiptDocument | null | undefined, nowMs: number) {
    this.id = sent._id;
    this.size = sent.size;
    this.task = sent.task;
    this.columns = new ReceiptColumns(sent.size, receipts);
    this.refresh(sent, nowMs);
  }

  /** Takes what the sender has written meanwhile. */
  refresh(sent: SentChunk, nowMs: number): void {
    this.statuses = sent.statuses;
    this.provider = sent.provider;
    this.sentFromMs = sent.sentFromMs;
    this.settled = sent.counts.pending + sent.counts.inFlight === 0;
    this.loadedAtMs = nowMs;
    this.#readIds(sent.ids);
    this.#readLateIds();
  }

  /** After a lost race: what the other process wrote. */
  replaceColumns(receipts: ReceiptDocument | null | undefined): void {
    this.columns = new ReceiptColumns(this.size, receipts);
    this.#readLateIds();
  }

  #readIds(joined: string): void {
    const ids = splitColumn(joined, this.size);
    if (!joined.includes(' ')) {
      this.#starts = undefined;
      this.#keys = new Uint32Array(this.size);
      for (let i = 0; i < this.size; i++) if (ids[i] !== '') this.#keys[i] = keyOf(ids[i]!);
      return;
    }
    const keys: number[] = [];
    this.#starts = new Uint32Array(this.size + 1);
    for (let i = 0; i < this.size; i++) {
      // One a part; a part whose answer was lost has none.
      if (ids[i] !== '') for (const id of ids[i]!.split(' ')) keys.push(id === '' ? 0 : keyOf(id));
      this.#starts[i + 1] = keys.length;
    }
    this.#keys = Uint32Array.from(keys);
  }

  #readLateIds(): void {
    this.#lateKeys.clear();
    for (const { position, messageId } of this.columns.lateAnswers) {
      if (messageId === '') continue;
      const ids = messageId.split(' ').filter((id) => id !== '');
      const late = ids.map(keyOf).filter((key) => this.#sentPart(position, key) === -1);
      const parts = this.#partsWithoutId(position);
      if (late.length > 0)
        this.#lateKeys.set(
          position,
          late.map((key) => ({ key, part: parts() })),
        );
    }
  }

  /** Each call the next one: those that were sent first. */
  #partsWithoutId(position: number): () => number {
    const slots = this.#sentParts(position);
    let next = 0;
    return () => {
      while (next < slots && this.#sentKey(position, next) !== 0) next += 1;
      return next++;
    };
  }

  #sentKey(position: number, part: number): number {
    return this.#keys[(this.#starts ? this.#starts[position]! : position) + part]!;
  }

  answerLate(answer: LateAnswerEntry): void {
    this.columns.answerLate(answer);
    this.#readLateIds();
  }

  /** Which part of the message at a position has this id; -1: none has. */
  partOf(position: number, key: number): number {
    const wanted = key === 0 ? 1 : key;
    const part = this.#sentPart(position, wanted);
    if (part !== -1 || this.#lateKeys.size === 0) return part;
    return this.#lateKeys.get(position)?.find(({ key: late }) => late === wanted)?.part ?? -1;
  }

  #sentPart(position: number, key: number): number {
    if (!this.#starts) return this.#keys[position] === key ? 0 : -1;
    const start = this.#starts[position]!;
    const end = this.#starts[position + 1]!;
    for (let at = start; at < end; at++) if (this.#keys[at] === key) return at - start;
    return -1;
  }

  /** Places for ids, one a part; without any while nothing is known. */
  #sentParts(position: number): number {
    if (!this.#starts) return this.#keys[position] === 0 ? 0 : 1;
    return this.#starts[position + 1]! - this.#starts[position]!;
  }

  /** Ids known of the message at a position, at most one a part. */
  idCount(position: number): number {
    let count = this.#lateKeys.get(position)?.length ?? 0;
    for (let part = this.#sentParts(position) - 1; part >= 0; part--)
      if (this.#sentKey(position, part) !== 0) count += 1;
    return count;
  }

  /** Parts that are known of, by an id or by the place that it will have. */
  partCount(position: number): number {
    const late = this.#lateKeys.get(position) ?? [];
    return Math.max(this.#sentParts(position), ...late.map(({ part }) => part + 1));
  }

  /** Its id may still become known: then a receipt that does not fit is early, not astray. */
  awaitsId(position: number): boolean {
    return OPEN.has(this.statuses[position] ?? '');
  }

  /** Position and part of every id whose key is among the wanted ones. */
  *withKeys(wanted: ReadonlyMap<number, unknown>): Generator<{ position: number; key: number }> {
    for (let position = 0; position < this.size; position++) {
      const start = this.#starts ? this.#starts[position]! : position;
      const end = this.#starts ? this.#starts[position + 1]! : position + 1;
      for (let at = start; at < end; at++) {
        const key = this.#keys[at]!;
        if (key !== 0 && wanted.has(key)) yield { position, key };
      }
      for (const { key } of this.#lateKeys.get(position) ?? []) if (wanted.has(key)) yield { position, key };
    }
  }
}

/** 0 stands for "no id". */
const keyOf = (id: string): number => idKey(id) || 1;
