import { chunkOfPlace, place, type TaskDocument } from '../store/task-document.ts';

type Journalled = Pick<TaskDocument, 'cursor' | 'authorisedTo' | 'again' | 'restoredFrom'>;

/** What is known of one position: only a pending one can be in doubt. */
export interface KnownOutcomes {
  readonly size: number;
  isPending(position: number): boolean;
  /** Refused for now or not sent, and written down as such: certainly not accepted, unless it is being sent again. */
  waitingAt(position: number): unknown;
}

/** Indexes of the chunks whose outcomes the journal does not yet vouch for, ascending. */
export function openChunks(task: Journalled & Pick<TaskDocument, 'facts'>): number[] {
  const indexes = new Set<number>();
  if (task.authorisedTo > task.cursor) {
    const last = chunkOfPlace(task.authorisedTo - 1);
    for (let index = chunkOfPlace(task.cursor); index <= last; index++) indexes.add(index);
  }
  for (const { index } of task.facts) indexes.add(index);
  for (const each of task.again) indexes.add(chunkOfPlace(each));
  return [...indexes].sort((a, b) => a - b);
}

/**
 * Positions of one chunk that may have been sent without anybody knowing what became of them: authorised and without
 * outcome or fact, or authorised once more (design: "In doubt"). After a restore one that waited may have been sent, too.
 */
export function inDoubt(task: Journalled, index: number, known: KnownOutcomes): number[] {
  const again = new Set(task.again);
  const positions: number[] = [];
  for (let position = 0; position < known.size; position++) {
    if (!known.isPending(position)) continue;
    const each = place(index, position);
    const authorised = each >= task.cursor && each < task.authorisedTo;
    const waits = task.restoredFrom === undefined && known.waitingAt(position);
    if (again.has(each) || (authorised && !waits)) positions.push(position);
  }
  return positions;
}
