import { Binary } from 'mongodb';
import { hashMsisdn } from '../phone/bucket.ts';
import type { MessageChunk } from './chunk-documents.ts';
import { splitColumn } from './columns.ts';
import { place } from './task-document.ts';

/**
 * Where the numbers of one bucket of a batch are, so that a receipt finds its chunk without a read of what was sent. Written
 * once, by `preparation`, as soon as the bucket's last chunk is. `_id`: that of the bucket's first chunk.
 */
export interface NumberPlaces {
  _id: string;
  batchId: string;
  /** hashMsisdn of each number that is sent to, ascending; 32-bit little-endian, as `places`. */
  hashes: Binary;
  /** Chunk and position (`place`) of each. */
  places: Binary;
  /** Segments of each, one octet: a receipt is to come for each of them. */
  parts: Binary;
}

/** Rows of a bucket: a 32-bit hash and a row number fit a double's 53 bits. */
const MAX_ROWS = 2 ** 21;

/** What is needed of a message chunk. */
export type NumberedChunk = Pick<MessageChunk, 'index' | 'size' | 'phones' | 'segments'>;

/** @param chunks all of the bucket */
export function placesOf(_id: string, batchId: string, chunks: readonly NumberedChunk[]): NumberPlaces {
  const rows = chunks.reduce((sum, { size }) => sum + size, 0);
  const places = new Uint32Array(rows);
  const parts = new Uint8Array(rows);
  // Hash and row in one number: the numeric sort of a typed array is ten times faster than one with a comparator.
  const keys = new Float64Array(rows);
  let count = 0;
  for (const { index, size, phones, segments } of chunks) {
    const numbers = splitColumn(phones, size);
    for (let position = 0; position < size; position++) {
      const segment = Number.parseInt(segments[position] ?? '1', 36);
      // Suppressed, duplicate and invalid rows are never sent.
      if (segment === 0) continue;
      places[count] = place(index, position);
      parts[count] = segment;
      keys[count] = hashMsisdn(numbers[position]!) * MAX_ROWS + count;
      count += 1;
    }
  }
  const sorted = keys.subarray(0, count).sort();
  const byHash = {
    hashes: new Uint32Array(count),
    places: new Uint32Array(count),
    parts: new Uint8Array(count),
  };
  for (let i = 0; i < count; i++) {
    const row = sorted[i]! % MAX_ROWS;
    byHash.hashes[i] = (sorted[i]! - row) / MAX_ROWS;
    byHash.places[i] = places[row]!;
    byHash.parts[i] = parts[row]!;
  }
  return {
    _id,
    batchId,
    hashes: new Binary(Buffer.from(byHash.hashes.buffer)),
    places: new Binary(Buffer.from(byHash.places.buffer)),
    parts: new Binary(byHash.parts),
  };
}

/** Numbers as they were stored: copied, since where they lie in the answer is not aligned. */
export const uint32sOf = (binary: Binary): Uint32Array => new Uint32Array(bytesOf(binary).buffer);

export const bytesOf = (binary: Binary): Uint8Array => Uint8Array.from(binary.value());
