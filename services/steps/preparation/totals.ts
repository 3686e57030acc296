import { addCounts, noOutcomes, type OutcomeCounts } from '../../../contracts/outcomes.ts';
import type { StepResult } from '../../../contracts/steps.ts';
import type { MessageChunk, OutcomeDocument } from '../../../lib/store/chunk-documents.ts';
import type { TaskDocument } from '../../../lib/store/task-document.ts';

/** What a preparation task has found so far; its result once it is done. */
export interface Totals {
  counts: OutcomeCounts;
  segments: number;
  /** Recipients by number of segments. */
  segmentHistogram: Record<string, number>;
  /** Recipients by encoding. */
  encodings: Record<string, number>;
}

/** The columns of a stored chunk that are counted. */
export type CountedChunk = Pick<OutcomeDocument, 'counts'> & Pick<MessageChunk, 'encodings' | 'segments'>;

const NAME_OF_ENCODING: Readonly<Record<string, string>> = { g: 'gsm7', u: 'ucs2' };

export const noTotals = (): Totals => ({
  counts: noOutcomes(),
  segments: 0,
  segmentHistogram: {},
  encodings: {},
});

/** What the last holder stored with its cursor. */
export function totalsOf({ soFar }: Pick<TaskDocument, 'soFar'>): Totals {
  const { counts, segments, segmentHistogram, encodings } = (soFar ?? {}) as StepResult;
  return {
    counts: { ...noOutcomes(), ...counts },
    segments: segments ?? 0,
    segmentHistogram: { ...segmentHistogram },
    encodings: { ...encodings },
  };
}

export function addChunk(totals: Totals, chunk: CountedChunk): void {
  totals.counts = addCounts(totals.counts, chunk.counts);
  count(chunk.encodings, (letter, n) => {
    const name = NAME_OF_ENCODING[letter];
    if (name) totals.encodings[name] = (totals.encodings[name] ?? 0) + n;
  });
  count(chunk.segments, (digit, n) => {
    const parts = Number.parseInt(digit, 36);
    if (parts === 0) return;
    totals.segments += parts * n;
    totals.segmentHistogram[parts] = (totals.segmentHistogram[parts] ?? 0) + n;
  });
}

/** Counts the characters of a column. */
function count(column: string, each: (character: string, n: number) => void): void {
  const counts = new Map<number, number>();
  for (let i = 0; i < column.length; i++) {
    const code = column.charCodeAt(i);
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  for (const [code, n] of counts) each(String.fromCharCode(code), n);
}
