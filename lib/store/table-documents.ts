/** One import or append, atomically in or out of its table. */
export interface TableImport {
  id: string;
  /** SHA-256 of the content: the same content twice is imported once… */
  sha256: string;
  /** …if it is read the same way: the same file with another default country has other numbers. */
  reading: string;
  source: string;
  at: number;
  rows: number;
  /** Lines that are no rows at all (reported, not in the table). */
  badLines: number;
  /** Rows in the table whose number is not valid: they become outcome `invalid`. */
  invalidNumbers: number;
  /** Empty when the table was placed anew since: then its rows are in the import named `placed anew`. */
  chunksByBucket: number[];
  rowsByBucket: number[];
}

/** The manifest of a recipient table: chunks are written first, then one atomic update of this document. */
export interface TableDocument {
  _id: string;
  version: number;
  /** ms of its making; raised when the table is placed anew, and never met again after a deletion. */
  generation: number;
  /** The table has 2^bucketBits buckets (0 to 8). */
  bucketBits: number;
  /** Column names in their first file's order, without the phone column. */
  columns: string[];
  rows: number;
  chunks: number;
  imports: TableImport[];
  createdAt: number;
  updatedAt: number;
  /** A batch's own table (inline recipients, child, foreign collection); removed with the batch. */
  ownedBy?: string;
}

/** `<table>.<generation>.<importId>.<bucket>.<i>`, at most 500 rows, written once. */
export interface SourceChunk {
  _id: string;
  table: string;
  size: number;
  /** MSISDNs, digits only; for an invalid number `!<code> <as it was written>`. Newline-joined. */
  phones: string;
  /** Newline-joined values by column name; a column that a chunk lacks is empty for its rows. */
  columns: Record<string, string>;
}

/** What the ids of an import's chunks begin with. */
export const sourceChunkPrefix = (table: string, generation: number, importId: string): string =>
  `${table}.${generation}.${importId}`;

export const sourceChunkId = (
  table: string,
  generation: number,
  importId: string,
  bucket: number,
  i: number,
): string => `${table}.${generation}.${importId}.${bucket}.${i}`;
