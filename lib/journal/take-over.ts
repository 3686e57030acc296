import type { Collection } from 'mongodb';
import { chunkId } from '../../contracts/ids.ts';
import { addCounts, noOutcomes, type OutcomeCounts } from '../../contracts/outcomes.ts';
import { retryTransient } from '../mongo/errors.ts';
import type { OutcomeDocument } from '../store/chunk-documents.ts';
import { OpenChunk } from '../store/outcome-columns.ts';
import { chunkOfPlace, place, type TaskDocument } from '../store/task-document.ts';
import { inDoubt, openChunks } from './in-doubt.ts';

/** The chunks of one task: `first` up to but not including `end`. */
export interface ChunkRange {
  first: number;
  end: number;
}

/** A chunk in which a last holder left something: unknown answers, unwritten outcomes, messages that wait. */
export interface LeftChunk {
  index: number;
  document: OutcomeDocument;
  /** The document with the facts laid over it. */
  outcomes: OpenChunk;
  inDoubt: number[];
}

export interface TakenOver {
  left: LeftChunk[];
  /** Sums of all other chunks of the task. */
  counts: OutcomeCounts;
  segments: number;
  resent: number;
  /** Of a task that never sent anything: its documents, still small. Empty for one of very many chunks. */
  untouched: OutcomeDocument[];
}

type Summary = Pick<OutcomeDocument, '_id' | 'index' | 'counts' | 'segments' | 'resent'>;

const DEADLINE_MS = 30_000;
/** Of about a kilobyte each. */
const MAX_UNTOUCHED = 256;

/**
 * What a new holder does first (design: "Tasks and the journal", 1): raises `ownerSeq` on every outcome document that a
 * last holder may still write, then reads them; from then on nothing of theirs changes.
 */
export async function takeOver(
  outcomes: Collection<OutcomeDocument>,
  task: TaskDocument,
  range: ChunkRange,
): Promise<TakenOver> {
  const idOf = (index: number) => chunkId(task.batchId, task.incarnation, index);
  return retryTransient(() => attempt(), { deadlineMs: DEADLINE_MS, what: 'taking over the outcomes' });

  async function attempt(): Promise<TakenOver> {
    const ids = Array.from({ length: range.end - range.first }, (_, i) => idOf(range.first + i));
    // What nobody was authorised to send is as it was prepared: read once, whole, in place of once more for each chunk.
    const isUntouched = task.authorisedTo === 0 && ids.length <= MAX_UNTOUCHED;
    const projection = isUntouched ? {} : { index: 1, counts: 1, segments: 1, resent: 1 };
    const summaries = await outcomes
      .find<Summary>({ _id: { $in: ids } }, { projection, batchSize: 1_000, enableUtf8Validation: false })
      .toArray();
    const open = new Set(openChunks(task).filter((index) => index >= range.first && index < range.end));
    // Behind the cursor everything is stored; what is pending there waits for another try.
    const cursorChunk = chunkOfPlace(task.cursor);
    for (const { index, counts } of summaries) {
      if (index <= cursorChunk && place(index, 0) < task.authorisedTo && counts.pending > 0) open.add(index);
    }
    const openIds = [...open].map(idOf);
    if (openIds.length > 0) {
      await outcomes.updateMany(
        { _id: { $in: openIds }, ownerSeq: { $lt: task.ownerSeq } },
        { $set: { ownerSeq: task.ownerSeq } },
      );
    }
    const documents =
      openIds.length === 0
        ? []
        : await outcomes.find({ _id: { $in: openIds } }, { batchSize: 1_000 }).toArray();
    const left = documents.map((document) => laidOver(task, document));
    left.sort((a, b) => a.index - b.index);
    const others = summaries.filter(({ index }) => !open.has(index));
    return {
      left,
      counts: others.reduce((sum, each) => addCounts(sum, each.counts), noOutcomes()),
      segments: others.reduce((sum, each) => sum + each.segments, 0),
      resent: others.reduce((sum, each) => sum + each.resent, 0),
      untouched: isUntouched ? (summaries as OutcomeDocument[]) : [],
    };
  }
}

function laidOver(task: TaskDocument, document: OutcomeDocument): LeftChunk {
  const outcomes = new OpenChunk(document);
  for (const { index, columns } of task.facts) {
    if (index === document.index) outcomes.overlay(columns);
  }
  const { index } = document;
  return { index, document, outcomes, inDoubt: inDoubt(task, index, outcomes) };
}
