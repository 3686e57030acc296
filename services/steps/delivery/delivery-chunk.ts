import type { MessageChunk, OutcomeDocument } from '../../../lib/store/chunk-documents.ts';
import { splitColumn } from '../../../lib/store/columns.ts';
import { OpenChunk } from '../../../lib/store/outcome-columns.ts';
import { place } from '../../../lib/store/task-document.ts';

const NOT_SENT = '-'.charCodeAt(0);
const UCS2 = 'u'.charCodeAt(0);

/** The segments of a base-36 digit. */
const SEGMENTS = new Map(Array.from({ length: 36 }, (_, n) => [n.toString(36).charCodeAt(0), n]));

/** One chunk while it is being sent: what goes to whom, and what became of it. */
export class DeliveryChunk {
  readonly id: string;
  readonly index: number;
  readonly size: number;
  readonly outcomes: OpenChunk;
  readonly document: OutcomeDocument;
  readonly #phones: string[];
  readonly #texts: string[];
  readonly #sameText: boolean;
  readonly #encodings: string;
  readonly #segments: string;
  /** Where the next message that was never authorised is looked for. */
  nextFresh = 0;
  /** Messages made and neither settled nor put back to wait. */
  out = 0;
  /** Segments of the accepted. */
  segments: number;
  resent: number;
  sentFromMs: number;
  sentToMs: number;
  /** Since when something is known that is not stored (performance.now()); 0 = nothing. */
  unstoredSince = 0;

  constructor(messages: MessageChunk, document: OutcomeDocument, outcomes = new OpenChunk(document)) {
    this.id = messages._id;
    this.index = messages.index;
    this.size = messages.size;
    this.outcomes = outcomes;
    this.document = document;
    this.#sameText = messages.sameText;
    this.#phones = splitColumn(messages.phones, messages.size);
    this.#texts = splitColumn(messages.texts, messages.sameText ? 1 : messages.size);
    this.#encodings = messages.encodings;
    this.#segments = messages.segments;
    this.resent = document.resent;
    this.sentFromMs = document.sentFromMs ?? 0;
    this.sentToMs = document.sentToMs ?? 0;
    this.segments = 0;
    if (outcomes.counts.accepted > 0) {
      for (let i = 0; i < this.size; i++)
        if (outcomes.letterAt(i) === 'a') this.segments += this.segmentsAt(i);
    }
  }

  phoneAt(position: number): string {
    return this.#phones[position]!;
  }

  textAt(position: number): string {
    return this.#sameText ? this.#texts[0]! : this.#texts[position]!;
  }

  segmentsAt(position: number): number {
    return SEGMENTS.get(this.#segments.charCodeAt(position)) ?? 1;
  }

  isUcs2(position: number): boolean {
    return this.#encodings.charCodeAt(position) === UCS2;
  }

  /** The next position to be authorised for the first time, from `nextFresh` on; -1 = none. */
  fresh(): number {
    for (; this.nextFresh < this.size; this.nextFresh++) {
      const position = this.nextFresh;
      if (
        this.outcomes.isPending(position) &&
        this.#encodings.charCodeAt(position) !== NOT_SENT &&
        !this.outcomes.waitingAt(position)
      ) {
        return position;
      }
    }
    return -1;
  }

  placeOf(position: number): number {
    return place(this.index, position);
  }

  /** Nothing of it is on its way, nor will be before something falls due. */
  get quiet(): boolean {
    return this.out === 0 && this.fresh() < 0;
  }
}
