import type { IntentAnswer, Journal, JournalEntry } from '../../../lib/journal/journal.ts';
import { place, type TaskDocument } from '../../../lib/store/task-document.ts';
import type { FaultPoint } from './faults.ts';
import type { OpenChunks } from './open-chunks.ts';
import type { Settlement } from './settlement.ts';
import type { Account } from './task-end.ts';

export interface TaskJournalOptions {
  journal: Journal;
  chunks: OpenChunks;
  settlement: Settlement;
  fault(point: FaultPoint): void;
  /** Sums are in the task document under this version. */
  onStored(version: number, account: Account): void;
}

/** What this holder knows, as the journal is told of it. */
export class TaskJournal {
  /** One behind the highest place that is authorised, or about to be. */
  authorisedTo: number;
  /** performance.now() of the last intent. */
  lastIntentAt = Number.NEGATIVE_INFINITY;
  readonly #o: TaskJournalOptions;

  constructor(options: TaskJournalOptions, authorisedTo: number) {
    this.#o = options;
    this.authorisedTo = authorisedTo;
  }

  async intent(): Promise<IntentAnswer> {
    const { journal, fault, onStored } = this.#o;
    this.lastIntentAt = performance.now();
    const entry = this.#entry();
    fault('intent:before');
    const answering = journal.intent(entry);
    fault('intent:issued');
    const answer = await answering;
    fault('intent:acknowledged');
    if (answer.kind === 'granted' && answer.withSums) onStored(answer.version, entry);
    return answer;
  }

  /** Everything is accounted: nothing below `authorisedTo` is open any more. False: it went to someone else. */
  async close(): Promise<boolean> {
    const { journal, onStored } = this.#o;
    const entry = { ...this.#entry(), cursor: this.authorisedTo, again: [], facts: [] };
    if (!(await journal.close(entry))) return false;
    onStored(journal.version, entry);
    return true;
  }

  account(): Account {
    const { counts, segments, resent, inFlight } = this.#o.settlement;
    return { counts: { ...counts, pending: counts.pending - inFlight, inFlight }, segments, resent };
  }

  #entry(): JournalEntry {
    const { chunks, settlement } = this.#o;
    const facts: TaskDocument['facts'] = [];
    for (const chunk of chunks.all()) {
      const columns = chunk.outcomes.facts();
      if (columns) facts.push({ index: chunk.index, columns });
    }
    const first = chunks.cursorChunk();
    const cursor = first === undefined ? this.authorisedTo : Math.min(this.authorisedTo, place(first, 0));
    return {
      cursor,
      authorisedTo: this.authorisedTo,
      again: [...settlement.again],
      facts,
      ...this.account(),
      progressAt: settlement.progressAt,
    };
  }
}
