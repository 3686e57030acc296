import { type CsvError, type Options, Parser } from 'csv-parse';
import { MAX_RECORD_CHARACTERS } from '../../../contracts/tables.ts';
import { shortened } from '../row-findings.ts';
import type { BadLine } from '../row-source.ts';
import { refuseSource } from './refuse-source.ts';

/** Records as they come out of one chunk of the file. */
export interface Records {
  rows: string[][];
  /** The line on which each begins. */
  lines: number[];
  badLines: BadLine[];
}

/**
 * csv-parse with its records taken at the moment they are parsed: in order with the lines it skips, each with its line,
 * and without an object or an event a record (on_record would halve the speed, `data` tells no line).
 */
class RecordTap extends Parser {
  taken: Records = { rows: [], lines: [], badLines: [] };
  /** Line on which the last good record ended. */
  lastLine = 0;
  /** csv-parse counts a CR LF within quotes as two lines. */
  overcounted = 0;
  /** Why the lines since then were skipped. */
  skipped: { code: string; message: string } | undefined;

  override push(record: unknown): boolean {
    if (record === null) return super.push(null);
    const row = record as string[];
    let line = this.info.lines - this.overcounted;
    let end = line;
    if (line > this.lastLine + 1) {
      const within = lineEndsIn(row);
      this.overcounted += within.crlf;
      end -= within.crlf;
      line = end - within.lines;
    }
    if (this.skipped) this.tellSkipped(line);
    this.lastLine = end;
    this.taken.rows.push(row);
    this.taken.lines.push(line);
    return true;
  }

  /** A quote in the wrong place may swallow the lines behind it: all of them are told. */
  tellSkipped(nextLine: number): void {
    const { code, message } = this.skipped!;
    const line = this.lastLine + 1;
    const lines = Math.max(1, nextLine - line);
    const range = lines > 1 ? ` (lines ${line} to ${nextLine - 1})` : '';
    this.taken.badLines.push({
      line,
      lines,
      column: '',
      value: shortened(message),
      code,
      expected: EXPECTED + range,
    });
    this.skipped = undefined;
  }
}

const EXPECTED = 'quotes only around a whole field, doubled within it';

/** What the typings leave out; the version is pinned, and bad-input.test.ts would notice. */
interface ParserState {
  state: { quoting: boolean };
}

const LINE_END = /\r\n|\n|\r/g;

function lineEndsIn(row: readonly string[]): { lines: number; crlf: number } {
  const ends = row.flatMap((field) => field.match(LINE_END) ?? []);
  return { lines: ends.length, crlf: ends.filter((end) => end.length === 2).length };
}

export interface CsvRecords {
  write(chunk: Buffer): Records;
  end(): Promise<Records>;
}

/** Parses a CSV file chunk by chunk. @throws RefusedError where the rest of the file cannot be told apart any more */
export function csvRecords(delimiter: string): CsvRecords {
  let fatal: unknown;
  const options: Options = {
    delimiter,
    bom: true,
    record_delimiter: ['\r\n', '\n', '\r'],
    max_record_size: MAX_RECORD_CHARACTERS,
    relax_column_count: true,
    skip_records_with_error: true,
    on_skip: (error) => {
      if (!error) return undefined;
      // After these two csv-parse returns no further record, or one made of everything that was left.
      if (error.code === 'CSV_QUOTE_NOT_CLOSED' || error.code === 'CSV_MAX_RECORD_SIZE') {
        fatal ??= endless(error, parser.lastLine + 1);
        throw fatal;
      }
      parser.skipped ??= { code: error.code, message: error.message };
      // Left as it is, the parser would stay within the quote and take the good lines behind it for text.
      if (error.code === 'CSV_INVALID_CLOSING_QUOTE')
        (parser as unknown as ParserState).state.quoting = false;
      return undefined;
    },
  };
  const parser = new RecordTap(options);
  parser.on('error', (error) => {
    fatal ??= error;
  });

  function take(): Records {
    if (fatal) throw fatal;
    const { taken } = parser;
    parser.taken = { rows: [], lines: [], badLines: [] };
    return taken;
  }

  return {
    write(chunk) {
      if (fatal) throw fatal;
      parser.write(chunk);
      return take();
    },
    async end() {
      await new Promise<void>((resolve) => parser.end(resolve));
      if (parser.skipped && !fatal) parser.tellSkipped(parser.info.lines - parser.overcounted);
      return take();
    },
  };
}

function endless(error: CsvError, line: number) {
  return error.code === 'CSV_QUOTE_NOT_CLOSED'
    ? refuseSource(`The quote that opens on line ${line} is never closed.`, `line ${line}`, EXPECTED)
    : refuseSource(
        `The record that begins on line ${line} does not end within ${MAX_RECORD_CHARACTERS} characters.`,
        `line ${line}`,
        'shorter records; most often a quote is not closed there, or line ends are missing',
      );
}
