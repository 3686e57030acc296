import type { RecipientFilter } from '../../../contracts/commands.ts';
import { OUTCOME_LETTERS, type Outcome } from '../../../contracts/outcomes.ts';
import type { OutcomeDocument, ReceiptDocument } from '../../../lib/store/chunk-documents.ts';
import { joinColumn, splitColumn } from '../../../lib/store/columns.ts';
import { mergeOutcomes } from '../../../lib/store/merge-outcomes.ts';
import type { SourceChunk } from '../../../lib/store/table-documents.ts';

const OPEN: readonly Outcome[] = ['pending', 'inFlight'];

/** Which rows of a chunk a filter takes: by what became of them, as everyone reads it. */
export interface RowChoice {
  letters: ReadonlySet<string>;
  codes: readonly string[] | undefined;
  /** Of whom no outcome document is known. */
  unprepared: 'pending' | 'unknown';
}

/** @param final the parent has ended: only then may those that are open be taken, since nobody will send to them */
export function rowChoice(
  { outcomes, codes }: RecipientFilter,
  final: boolean,
  unprepared: RowChoice['unprepared'] = 'pending',
): RowChoice {
  const wanted = (outcomes ?? (Object.keys(OUTCOME_LETTERS) as Outcome[])).filter(
    (outcome) => final || !OPEN.includes(outcome),
  );
  return { letters: new Set(wanted.map((outcome) => OUTCOME_LETTERS[outcome])), codes, unprepared };
}

/**
 * Positions that are taken, in order.
 * @param outcome undefined: never prepared, so all of them are pending; or unknown, where the database was set back
 */
export function chosenPositions(
  size: number,
  outcome: OutcomeDocument | undefined,
  receipt: ReceiptDocument | undefined,
  { letters, codes, unprepared }: RowChoice,
): number[] {
  const positions: number[] = [];
  if (!outcome) {
    if (!letters.has(OUTCOME_LETTERS[unprepared]) || codes) return positions;
    return Array.from({ length: size }, (_, position) => position);
  }
  const merged = mergeOutcomes(outcome, receipt);
  for (let position = 0; position < size; position++) {
    if (!letters.has(merged.statuses[position]!)) continue;
    if (codes && !hasCode(merged.recipientAt(position).code, codes)) continue;
    positions.push(position);
  }
  return positions;
}

/** A code may have more behind it: `MISSING_VARIABLE name`. */
const hasCode = (code: string, wanted: readonly string[]): boolean =>
  wanted.some((each) => code === each || code.startsWith(`${each} `));

/** The chosen rows of a source chunk as one of its own. */
export function chosenRows(
  { size, phones, columns }: SourceChunk,
  positions: readonly number[],
  to: { id: string; table: string },
): SourceChunk {
  const pick = (column: string): string => {
    const values = splitColumn(column, size);
    return joinColumn(positions.map((position) => values[position]!));
  };
  return {
    _id: to.id,
    table: to.table,
    size: positions.length,
    phones: pick(phones),
    columns: Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, pick(column)])),
  };
}
