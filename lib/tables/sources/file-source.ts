import type { RowSource } from '../row-source.ts';
import { type CsvOptions, csvSource } from './csv-source.ts';
import { ndjsonSource } from './ndjson-source.ts';
import type { Octets } from './text-octets.ts';

export interface FileOptions extends CsvOptions {
  /** Default: by the file's name, else CSV. */
  format?: 'csv' | 'ndjson' | undefined;
}

const NDJSON_NAME = /\.(ndjson|jsonl)(\.(gz|zst))?$/i;

/** Rows of a file, in whichever format it is. */
export function fileSource(octets: Octets, options: FileOptions = {}): RowSource {
  const format = options.format ?? (NDJSON_NAME.test(octets.label) ? 'ndjson' : 'csv');
  return format === 'ndjson' ? ndjsonSource(octets, options) : csvSource(octets, options);
}
