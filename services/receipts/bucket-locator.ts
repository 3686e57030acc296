import { hashMsisdn } from '../../lib/phone/bucket.ts';
import type { MessageChunk } from '../../lib/store/chunk-documents.ts';
import { splitColumn } from '../../lib/store/columns.ts';
import { chunkOfPlace, place, positionOfPlace } from '../../lib/store/task-document.ts';

/** Rows of a bucket: a 32-bit hash and a row number fit a double's 53 bits. */
const MAX_ROWS = 2 ** 21;

/** What the locator needs of a message chunk. */
export type LocatedChunk = Pick<MessageChunk, 'index' | 'size' | 'phones' | 'segments'>;

/**
 * Where the numbers of one bucket of one batch are: 9 bytes a recipient, so that the numbers of millions of recipients fit
 * in memory while their receipts come in at random. Message chunks never change, so neither does this.
 */
export class BucketLocator {
  readonly #hashes: Uint32Array;
  readonly #places: Uint32Array;
  readonly #parts: Uint8Array;

  constructor(chunks: readonly LocatedChunk[]) {
    const rows = chunks.reduce((sum, chunk) => sum + chunk.size, 0);
    const places = new Uint32Array(rows);
    const parts = new Uint8Array(rows);
    // Hash and row in one number: the numeric sort of a typed array is ten times faster than one with a comparator.
    const keys = new Float64Array(rows);
    let count = 0;
    for (const chunk of chunks) {
      const phones = splitColumn(chunk.phones, chunk.size);
      for (let position = 0; position < chunk.size; position++) {
        const segments = Number.parseInt(chunk.segments[position] ?? '1', 36);
        // Suppressed, duplicate and invalid rows are never sent.
        if (segments === 0) continue;
        places[count] = place(chunk.index, position);
        parts[count] = segments;
        keys[count] = hashMsisdn(phones[position]!) * MAX_ROWS + count;
        count += 1;
      }
    }
    const sorted = keys.subarray(0, count).sort();
    this.#hashes = new Uint32Array(count);
    this.#places = new Uint32Array(count);
    this.#parts = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const row = sorted[i]! % MAX_ROWS;
      this.#hashes[i] = (sorted[i]! - row) / MAX_ROWS;
      this.#places[i] = places[row]!;
      this.#parts[i] = parts[row]!;
    }
  }

  get size(): number {
    return this.#hashes.length;
  }

  /** First entry of a number's hash, or -1; the following entries may have the same hash (`hasHash`). */
  find(hash: number): number {
    const hashes = this.#hashes;
    let low = 0;
    let high = hashes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (hashes[middle]! < hash) low = middle + 1;
      else high = middle;
    }
    return hashes[low] === hash ? low : -1;
  }

  hasHash(entry: number, hash: number): boolean {
    return this.#hashes[entry] === hash;
  }

  chunkAt(entry: number): number {
    return chunkOfPlace(this.#places[entry]!);
  }

  positionAt(entry: number): number {
    return positionOfPlace(this.#places[entry]!);
  }

  /** Messages on air: a receipt is to come for each. */
  partsAt(entry: number): number {
    return this.#parts[entry]!;
  }
}
