import { DELIMITERS, MAX_ROW_BYTES } from '../../../contracts/tables.ts';
import { shortened } from '../row-findings.ts';
import type { BadLine, RowBatch, RowSource } from '../row-source.ts';
import { type CsvRecords, csvRecords, type Records } from './csv-records.ts';
import { findPhoneColumn } from './phone-column.ts';
import { refuseSource } from './refuse-source.ts';
import { type Octets, textOctets } from './text-octets.ts';

export interface CsvOptions {
  /** Default: the one of , ; tab | that the first line has most of. */
  delimiter?: string | undefined;
  phoneColumn?: string | undefined;
  /** False: the file begins with a row; its columns are column1, column2, …. */
  header?: boolean | undefined;
}

/** Rows of a CSV file whose first line names the columns. */
export function csvSource(octets: Octets, options: CsvOptions = {}): RowSource {
  const text = textOctets(octets);
  return {
    label: octets.label,
    reading: JSON.stringify([
      'csv',
      options.delimiter ?? '',
      options.phoneColumn ?? '',
      options.header ?? true,
    ]),
    sha256: text.sha256,
    fraction: text.fraction,
    batches: (signal) => batches(text.chunks(signal), options),
  };
}

async function* batches(chunks: AsyncIterable<Buffer>, options: CsvOptions): AsyncGenerator<RowBatch> {
  let parser: CsvRecords | undefined;
  let columns: Columns | undefined;
  for await (const chunk of wholeFirstLine(chunks)) {
    parser ??= parserFor(chunk, options);
    const records = parser.write(chunk);
    columns ??= takeColumns(records, options);
    if (columns) yield checked(records, columns);
  }
  const records = await parser?.end();
  if (!records) return;
  columns ??= takeColumns(records, options);
  if (columns) yield checked(records, columns);
}

function parserFor(head: Buffer, { delimiter }: CsvOptions): CsvRecords {
  const text = head.toString('utf8');
  if (/^\ufeff?\s*\{/.test(text)) {
    throw refuseSource('The file looks like JSON, not CSV.', text, 'format: ndjson, with one object a line', {
      field: 'format',
    });
  }
  return csvRecords(delimiter ?? sniffDelimiter(text));
}

/** Joins chunks until the first of them holds the whole first line: the delimiter is found in it. */
async function* wholeFirstLine(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (head) {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      if (head.length < MAX_HEAD_OCTETS && !head.includes(10) && !head.includes(13)) continue;
      yield head;
      head = undefined;
    } else {
      yield chunk;
    }
  }
  if (head && head.length > 0) yield head;
}

const MAX_HEAD_OCTETS = 64 * 1024;

/** The delimiter that the first line has most of, outside of quotes; a comma where it has none. */
export function sniffDelimiter(head: string): string {
  const line = /^[\ufeff\r\n]*([^\r\n]*)/.exec(head)![1]!.replaceAll(/"(?:[^"]|"")*"/g, '');
  let best: string = DELIMITERS[0];
  let most = 0;
  for (const delimiter of DELIMITERS) {
    const count = line.split(delimiter).length - 1;
    if (count > most) [best, most] = [delimiter, count];
  }
  return best;
}

interface Columns {
  names: string[];
  phoneAt: number;
  /** Line of the header; 0 = there is none. */
  line: number;
}

const isEmptyLine = (row: readonly string[]): boolean => row.length === 1 && row[0]!.trim() === '';

/** The header is the first line that is not empty; it is taken out of the records. */
function takeColumns(records: Records, { header = true, phoneColumn }: CsvOptions): Columns | undefined {
  const at = records.rows.findIndex((row) => !isEmptyLine(row));
  const first = records.rows[at];
  if (!first) return undefined;
  const line = header ? records.lines[at]! : 0;
  const names = header ? namesOf(first, line) : first.map((_, n) => `column${n + 1}`);
  const found = findPhoneColumn(names, header ? phoneColumn : (phoneColumn ?? 'column1'));
  if ('problem' in found) {
    const looksLikeRow = first.some((value) => /^[+\d][\d\s().-]{6,}$/.test(value.trim()));
    const hint = looksLikeRow
      ? ' Its first line looks like a row: say header: false if it names no columns.'
      : '';
    throw refuseSource(found.problem + hint, first.join(' | '), found.expected, { field: 'phoneColumn' });
  }
  const skip = header ? at + 1 : at;
  records.rows.splice(0, skip);
  records.lines.splice(0, skip);
  return { names, phoneAt: found.at, line };
}

function namesOf(first: readonly string[], line: number): string[] {
  const names = first.map((name, n) => name.trim() || `column${n + 1}`);
  const twice = names.find((name, n) => names.indexOf(name) !== n);
  if (twice !== undefined) {
    throw refuseSource(
      `Two columns have the same name (line ${line}).`,
      twice,
      'a name of its own for each column',
    );
  }
  // As keys of a document these would be something else.
  const odd = names.find((name) => name === '__proto__' || name.includes('\0'));
  if (odd !== undefined) throw refuseSource('A column has a name that cannot be kept.', odd, 'another name');
  return names;
}

function checked(records: Records, { names, phoneAt, line: headerLine }: Columns): RowBatch {
  const rows: string[][] = [];
  const lines: number[] = [];
  const badLines = records.badLines;
  for (let i = 0; i < records.rows.length; i++) {
    const row = records.rows[i]!;
    const line = records.lines[i]!;
    if (row.length === names.length && !isLong(row)) {
      if (row.length === 1 && row[0] === '') continue;
      rows.push(row);
      lines.push(line);
    } else if (!isEmptyLine(row)) {
      badLines.push(badRow(row, line, names, headerLine));
    }
  }
  return { columns: names, phoneAt, rows, lines, badLines };
}

function isLong(row: readonly string[]): boolean {
  let characters = 0;
  for (const value of row) characters += value.length;
  // A character of a string is at most three octets of UTF-8.
  if (characters * 3 <= MAX_ROW_BYTES) return false;
  return row.reduce((octets, value) => octets + Buffer.byteLength(value), 0) > MAX_ROW_BYTES;
}

function badRow(row: readonly string[], line: number, names: readonly string[], headerLine: number): BadLine {
  const common = { line, lines: 1, column: '', value: shortened(row.join(' | ')) };
  if (row.length !== names.length) {
    const as = headerLine > 0 ? `as on line ${headerLine}` : 'as in the first row';
    return {
      ...common,
      code: 'WRONG_COLUMN_COUNT',
      expected: `${names.length} columns, ${as}; it has ${row.length}`,
    };
  }
  return { ...common, code: 'ROW_TOO_LONG', expected: `at most ${MAX_ROW_BYTES} octets` };
}
