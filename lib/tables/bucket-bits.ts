import type { TableDocument } from '../store/table-documents.ts';
import { CHUNK_SIZE } from '../store/task-document.ts';

/** A step holds the numbers of one bucket in memory: about this many. */
export const ROWS_A_BUCKET = 5_000;
/** A table smaller than eight buckets of the usual size gets smaller ones, so that eight workers find work. */
const FEWEST_ROWS_A_BUCKET = 2_000;
const BITS_FOR_EIGHT = 3;
export const MAX_BUCKET_BITS = 8;
/** Rows that are held back to see how many there will be. */
export const ROWS_TO_CHOOSE_FROM = 100_000;

/** @returns 0 (one bucket) to 8 (256) */
export function bucketBitsFor(rows: number): number {
  const usual = Math.ceil(Math.log2(Math.max(1, rows / ROWS_A_BUCKET)));
  const forEight = Math.floor(Math.log2(Math.max(1, rows / FEWEST_ROWS_A_BUCKET)));
  return Math.min(MAX_BUCKET_BITS, Math.max(usual, Math.min(BITS_FOR_EIGHT, forEight)));
}

/**
 * How many rows a source will have, of which `seen` were read and there are more.
 * @param fraction share of it that was read, or undefined where its size is not known
 */
export const estimatedRows = (seen: number, fraction: number | undefined): number =>
  fraction === undefined || fraction <= 0 ? Number.MAX_SAFE_INTEGER : seen / Math.min(1, fraction);

const OUTGROWN = 8;

/**
 * Too few buckets for its rows, or too many chunks for them (many small appends). With less than eight buckets every
 * doubling counts: the first append alone has chosen how many workers find work.
 */
export function hasOutgrown(table: Pick<TableDocument, 'rows' | 'chunks' | 'bucketBits'>): boolean {
  const buckets = 2 ** table.bucketBits;
  const crowded =
    table.bucketBits < BITS_FOR_EIGHT
      ? bucketBitsFor(table.rows) > table.bucketBits
      : table.bucketBits < MAX_BUCKET_BITS && table.rows > OUTGROWN * ROWS_A_BUCKET * buckets;
  const fragmented = table.chunks > 4 * Math.ceil(table.rows / CHUNK_SIZE) + 2 * buckets;
  return crowded || fragmented;
}
