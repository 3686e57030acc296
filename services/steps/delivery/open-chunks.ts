import type { ChunkRange } from '../../../lib/journal/take-over.ts';
import { chunkOfPlace, positionOfPlace } from '../../../lib/store/task-document.ts';
import { DeliveryChunk } from './delivery-chunk.ts';
import type { DeliveryStore } from './delivery-store.ts';

/** Chunks between their first message and their stored outcomes. */
export const MAX_OPEN = 6;
/** Chunks read ahead, and how many are left when the next are read: in bulk a read costs half as much. */
export const MAX_READY = 12;
const READ_AT = 3;
/** Chunks stored but for messages that wait for another try. */
export const MAX_PARKED = 32;

/**
 * The chunks of one task that are in memory: read ahead, being sent, or parked until a message in them falls due.
 * Bounded, whatever the size of the batch.
 */
export class OpenChunks {
  /** Being sent, ascending; the cursor stands at the first of them. */
  readonly front: DeliveryChunk[] = [];
  readonly parked = new Set<DeliveryChunk>();
  readonly #ready: DeliveryChunk[] = [];
  readonly #store: Pick<DeliveryStore, 'load'>;
  readonly #end: number;
  readonly #authorisedTo: number;
  readonly #onLoaded: () => void;
  readonly #onFailed: (error: unknown) => void;
  #next: number;
  #loading = false;

  constructor(options: {
    store: Pick<DeliveryStore, 'load'>;
    range: ChunkRange;
    /** As the task was taken: below it nothing is fresh. */
    authorisedTo: number;
    onLoaded: () => void;
    onFailed: (error: unknown) => void;
  }) {
    this.#store = options.store;
    this.#end = options.range.end;
    this.#authorisedTo = options.authorisedTo;
    this.#onLoaded = options.onLoaded;
    this.#onFailed = options.onFailed;
    this.#next = Math.max(options.range.first, chunkOfPlace(options.authorisedTo));
  }

  /** A chunk in which a last holder left something. */
  adopt(chunk: DeliveryChunk): void {
    chunk.nextFresh = this.#firstFresh(chunk);
    if (chunk.index >= this.#next) this.#next = chunk.index + 1;
    this.front.push(chunk);
  }

  #firstFresh(chunk: DeliveryChunk): number {
    const boundary = chunkOfPlace(this.#authorisedTo);
    if (chunk.index < boundary) return chunk.size;
    return chunk.index === boundary ? Math.min(chunk.size, positionOfPlace(this.#authorisedTo)) : 0;
  }

  get loading(): boolean {
    return this.#loading;
  }

  /** There is more to come than the chunks that are open. */
  get sendsOn(): boolean {
    return this.front.length < MAX_OPEN && (this.#ready.length > 0 || this.#next < this.#end);
  }

  /** Every chunk of the task has been opened, and all its messages authorised once. */
  get exhausted(): boolean {
    return (
      this.#next >= this.#end &&
      this.#ready.length === 0 &&
      !this.#loading &&
      this.front.every((chunk) => chunk.fresh() < 0)
    );
  }

  /** Where the cursor stands: everything before it is stored. */
  cursorChunk(): number | undefined {
    return this.front[0]?.index;
  }

  /** A copy: chunks are closed while it is walked. */
  all(): DeliveryChunk[] {
    return this.parked.size === 0 ? [...this.front] : [...this.front, ...this.parked];
  }

  /** The chunk from which the next window is taken; undefined: none is there yet, or too many are open. */
  current(): DeliveryChunk | undefined {
    for (let i = 0; i < this.front.length; i++) if (this.front[i]!.fresh() >= 0) return this.front[i];
    for (;;) {
      if (this.front.length >= MAX_OPEN || this.parked.size >= MAX_PARKED) return undefined;
      const chunk = this.#ready.shift();
      this.load();
      if (!chunk) return undefined;
      // Nothing in it is to be sent: its outcomes are stored already.
      if (chunk.fresh() < 0) continue;
      this.front.push(chunk);
      return chunk;
    }
  }

  load(): void {
    const room = Math.min(MAX_READY - this.#ready.length, this.#end - this.#next);
    if (this.#loading || room <= 0 || this.#ready.length > READ_AT) return;
    const indexes = Array.from({ length: room }, (_, i) => this.#next + i);
    this.#next += room;
    this.#loading = true;
    this.#store.load(indexes).then(
      (loaded) => {
        this.#loading = false;
        for (const { messages, outcomes } of loaded) {
          const chunk = new DeliveryChunk(messages, outcomes);
          chunk.nextFresh = this.#firstFresh(chunk);
          this.#ready.push(chunk);
        }
        this.load();
        this.#onLoaded();
      },
      (error) => {
        this.#loading = false;
        this.#onFailed(error);
      },
    );
  }

  /** Chunks of which everything is known and stored leave; those with messages that wait are parked. */
  close(chunk: DeliveryChunk): void {
    if (!chunk.quiet || chunk.outcomes.hasFacts) return;
    const at = this.front.indexOf(chunk);
    if (at >= 0) this.front.splice(at, 1);
    if (chunk.outcomes.waitingCount > 0) this.parked.add(chunk);
    else this.parked.delete(chunk);
  }
}
