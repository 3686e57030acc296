import { MAX_ROW_BYTES } from '../../../contracts/tables.ts';
import { shortened } from '../row-findings.ts';
import type { BadLine, RowBatch } from '../row-source.ts';
import { findPhoneColumn } from './phone-column.ts';
import { refuseSource } from './refuse-source.ts';

/** Turns objects into rows: their keys become columns as they turn up. */
export interface RecordRows {
  add(record: unknown, line: number): void;
  bad(found: BadLine): void;
  /** Rows and bad lines that wait to be taken. */
  readonly size: number;
  take(): RowBatch;
}

/**
 * The phone field is looked for in the first record, then is the same for all of them. An object under `variables` is
 * taken as columns too, so that what `append` takes can be a file.
 */
export function recordRows(phoneField?: string): RecordRows {
  const columns: string[] = [];
  const positions = new Map<string, number>();
  let phone = phoneField;
  let batch = emptyBatch();

  function positionOf(name: string): number {
    let at = positions.get(name);
    if (at === undefined) {
      at = columns.push(name) - 1;
      positions.set(name, at);
    }
    return at;
  }
  if (phone !== undefined) positionOf(phone);

  function begin(record: Record<string, unknown>): void {
    const names = Object.keys(record);
    const found = findPhoneColumn(names);
    if ('problem' in found) {
      throw refuseSource(found.problem, shortened(JSON.stringify(record)), found.expected, {
        field: 'phoneColumn',
      });
    }
    phone = names[found.at]!;
    positionOf(phone);
  }

  function fill(row: string[], record: Record<string, unknown>, line: number): BadLine | undefined {
    for (const [name, value] of Object.entries(record)) {
      if (value === undefined || name === '__proto__') continue;
      const text = textOf(value);
      if (text === undefined) {
        if (name === 'variables' && !Array.isArray(value)) {
          const inner = fill(row, value as Record<string, unknown>, line);
          if (inner) return inner;
          continue;
        }
        const shown = shortened(JSON.stringify(value));
        const expected = 'text, a number, true, false or null';
        return { line, lines: 1, column: name, value: shown, code: 'NOT_A_VALUE', expected };
      }
      row[positionOf(name)] = text;
    }
    return undefined;
  }

  return {
    get size() {
      return batch.rows.length + batch.badLines.length;
    },
    bad: (found) => batch.badLines.push(found),
    add(record, line) {
      if (record === null || typeof record !== 'object' || Array.isArray(record)) {
        const value = shortened(JSON.stringify(record) ?? '');
        batch.badLines.push({
          line,
          lines: 1,
          column: '',
          value,
          code: 'NOT_AN_OBJECT',
          expected: 'a JSON object',
        });
        return;
      }
      if (phone === undefined) begin(record as Record<string, unknown>);
      const row = new Array<string>(columns.length).fill('');
      const bad = fill(row, record as Record<string, unknown>, line) ?? tooLong(row, line);
      if (bad) {
        batch.badLines.push(bad);
        return;
      }
      batch.rows.push(row);
      batch.lines.push(line);
    },
    take() {
      const taken = batch;
      batch = emptyBatch();
      return { columns: [...columns], phoneAt: 0, ...taken };
    },
  };
}

const emptyBatch = () => ({ rows: [] as string[][], lines: [] as number[], badLines: [] as BadLine[] });

/** A scalar as text; undefined for what is none. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (value === null) return '';
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return String(value);
  if (value instanceof Date) return value.toISOString();
  // BSON's own scalars: ObjectId, Long, Decimal128, Int32, Double.
  if (typeof value === 'object' && '_bsontype' in value) return String(value);
  return undefined;
}

function tooLong(row: readonly string[], line: number): BadLine | undefined {
  let characters = 0;
  for (const value of row) characters += value?.length ?? 0;
  if (characters * 3 <= MAX_ROW_BYTES) return undefined;
  if (row.reduce((octets, value) => octets + Buffer.byteLength(value ?? ''), 0) <= MAX_ROW_BYTES)
    return undefined;
  const expected = `at most ${MAX_ROW_BYTES} octets`;
  return { line, lines: 1, column: '', value: shortened(row.join(' | ')), code: 'ROW_TOO_LONG', expected };
}
