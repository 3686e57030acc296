import { bytesOf, type NumberPlaces, uint32sOf } from '../../lib/store/number-places.ts';
import { chunkOfPlace, positionOfPlace } from '../../lib/store/task-document.ts';

/**
 * Where the numbers of one bucket of one batch are: 9 bytes a recipient, so that the numbers of millions of recipients fit
 * in memory while their receipts come in at random. It never changes.
 */
export class BucketLocator {
  readonly #hashes: Uint32Array;
  readonly #places: Uint32Array;
  readonly #parts: Uint8Array;

  constructor({ hashes, places, parts }: Pick<NumberPlaces, 'hashes' | 'places' | 'parts'>) {
    this.#hashes = uint32sOf(hashes);
    this.#places = uint32sOf(places);
    this.#parts = bytesOf(parts);
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
