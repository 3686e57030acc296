import { MAX_ROW_FINDINGS, type RowFinding } from '../../contracts/tables.ts';
import { PHONE_REFUSALS, type PhoneRefusalCode } from '../phone/refusals.ts';
import type { BadLine } from './row-source.ts';

const MAX_VALUE_CHARACTERS = 60;

export const shortened = (value: string): string =>
  value.length > MAX_VALUE_CHARACTERS ? `${value.slice(0, MAX_VALUE_CHARACTERS)}…` : value;

/** What an import has to say of single lines: all are counted, the first are kept. */
export interface RowFindings {
  readonly kept: RowFinding[];
  total: number;
  badLines: number;
  invalidNumbers: number;
  badLine(found: BadLine): void;
  invalidNumber(line: number, column: string, value: string, code: PhoneRefusalCode): void;
}

export function rowFindings(): RowFindings {
  const kept: RowFinding[] = [];
  const found: RowFindings = {
    kept,
    total: 0,
    badLines: 0,
    invalidNumbers: 0,
    badLine({ line, lines, column, value, code, expected }) {
      found.badLines += lines;
      found.total++;
      if (kept.length < MAX_ROW_FINDINGS)
        kept.push({ line, column, value: shortened(value), code, expected });
    },
    invalidNumber(line, column, value, code) {
      found.invalidNumbers++;
      found.total++;
      if (kept.length < MAX_ROW_FINDINGS) {
        kept.push({ line, column, value: shortened(value), code, expected: PHONE_REFUSALS[code] });
      }
    },
  };
  return found;
}
