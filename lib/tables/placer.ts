import { bucketOf } from '../phone/bucket.ts';
import { joinColumn } from '../store/columns.ts';
import { type SourceChunk, sourceChunkId } from '../store/table-documents.ts';
import { CHUNK_SIZE } from '../store/task-document.ts';

/** Where an import's rows go; its chunks' ids are made of it. */
export interface Placement {
  table: string;
  generation: number;
  bucketBits: number;
  importId: string;
  /** Chunks of each bucket that the import has already; they are numbered on. */
  firstChunks?: readonly number[];
}

/** Collects rows by bucket and hands over each 500 as a chunk; holds less than 500 rows a bucket. */
export interface Placer {
  /** Rows that were put here. */
  readonly rowsByBucket: number[];
  /** Chunks of the import, those it had before included. */
  readonly chunksByBucket: number[];
  /** Names by position in the rows that follow; may grow, not change. */
  setColumns(columns: readonly string[], phoneAt: number): void;
  /** @param phone as it is stored: digits, or `!<code> <as it was written>` */
  put(phone: string, hash: number, row: readonly string[]): void;
  /** Hands over what is left. */
  flush(): void;
}

/** Values by column: a row's own array would be kept alive, four times as large as its values. */
interface Bucket {
  phones: string[];
  values: string[][];
}

export function placer(to: Placement, write: (chunk: SourceChunk) => void): Placer {
  const size = 2 ** to.bucketBits;
  const rowsByBucket = new Array<number>(size).fill(0);
  const chunksByBucket = Array.from({ length: size }, (_, n) => to.firstChunks?.[n] ?? 0);
  let columns: readonly string[] = [];
  let phoneAt = -1;
  const emptyBucket = (): Bucket => ({ phones: [], values: columns.map(() => []) });
  const buckets: Bucket[] = Array.from({ length: size }, emptyBucket);

  function hand(n: number): void {
    const { phones, values } = buckets[n]!;
    const rows = phones.length;
    const joined: Record<string, string> = {};
    for (let at = 0; at < values.length; at++) {
      if (at === phoneAt) continue;
      const column = joinColumn(values[at]!);
      // Nothing but line ends: no value at all; an absent column is read as empty.
      if (column.length >= rows) joined[columns[at]!] = column;
    }
    write({
      _id: sourceChunkId(to.table, to.generation, to.importId, n, chunksByBucket[n]!),
      table: to.table,
      size: rows,
      phones: joinColumn(phones),
      columns: joined,
    });
    chunksByBucket[n]!++;
    rowsByBucket[n]! += rows;
    buckets[n] = emptyBucket();
  }

  return {
    rowsByBucket,
    chunksByBucket,
    setColumns(names, at) {
      if (names.length > columns.length) {
        for (const { phones, values } of buckets) {
          while (values.length < names.length) values.push(new Array<string>(phones.length).fill(''));
        }
      }
      columns = names;
      phoneAt = at;
    },
    put(phone, hash, row) {
      const n = bucketOf(hash, to.bucketBits);
      const { phones, values } = buckets[n]!;
      phones.push(phone);
      for (let at = 0; at < values.length; at++) {
        if (at !== phoneAt) values[at]!.push(row[at] ?? '');
      }
      if (phones.length === CHUNK_SIZE) hand(n);
    },
    flush() {
      for (let n = 0; n < size; n++) if (buckets[n]!.phones.length > 0) hand(n);
    },
  };
}
