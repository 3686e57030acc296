/** A line that is no row: reported, not in the table. */
export interface BadLine {
  line: number;
  /** How many lines it swallowed. */
  lines: number;
  column: string;
  value: string;
  code: string;
  expected: string;
}

/**
 * Some rows of a source, in its order. Arrays of values: an object a row would cost more than the placing.
 * `columns` only ever grows from batch to batch; a row that is shorter than it has empty values.
 */
export interface RowBatch {
  /** Names by position in the rows, the phone column among them. */
  columns: readonly string[];
  phoneAt: number;
  rows: readonly (readonly string[])[];
  /** Line of each row in its file, or its ordinal, from 1. */
  lines: readonly number[];
  badLines: readonly BadLine[];
}

/** Where rows come from; read once. */
export interface RowSource {
  /** For people, kept in the manifest: `file people.csv`. */
  label: string;
  /** How it is read: the same content read in another way is other rows. */
  reading: string;
  batches(signal: AbortSignal): AsyncIterable<RowBatch>;
  /** SHA-256 (hex) of the content; known when the last batch was drawn. */
  sha256(): string;
  /** Share of the source that was read so far, where its size is known. */
  fraction?(): number | undefined;
}
