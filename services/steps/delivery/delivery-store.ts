import type { Collection } from 'mongodb';
import { chunkId } from '../../../contracts/ids.ts';
import { type Journal, openJournal } from '../../../lib/journal/journal.ts';
import { type OutcomeWrite, outcomeWriter } from '../../../lib/journal/outcome-writes.ts';
import { type ChunkRange, type TakenOver, takeOver } from '../../../lib/journal/take-over.ts';
import { retryTransient } from '../../../lib/mongo/errors.ts';
import { hurryParked } from '../../../lib/receipts/parked.ts';
import type { MessageChunk, OutcomeDocument, ReceiptDocument } from '../../../lib/store/chunk-documents.ts';
import type { Store } from '../../../lib/store/collections.ts';
import type { TaskDocument } from '../../../lib/store/task-document.ts';

export interface LoadedChunk {
  messages: MessageChunk;
  outcomes: OutcomeDocument;
}

/** What delivery needs of the system of record; the property tests have one in memory. */
export interface DeliveryStore {
  journal: Journal;
  takeOver(): Promise<TakenOver>;
  /** In the order asked for. Throws when one is missing: preparation has not done its work. */
  load(indexes: readonly number[]): Promise<LoadedChunk[]>;
  loadMessages(indexes: readonly number[]): Promise<MessageChunk[]>;
  receipts(indexes: readonly number[]): Promise<ReceiptDocument[]>;
  /** Numbers for which receipts wait that have found no message; they are looked at once more, at once. */
  hurryReceipts(msisdns: readonly string[]): Promise<Set<string>>;
  /** False: another holder has them. */
  writeOutcomes(writes: readonly OutcomeWrite[]): Promise<boolean>;
}

const READ_DEADLINE_MS = 60_000;

export function deliveryStore(options: {
  store: Pick<Store, 'db' | 'outcomes' | 'messageChunks' | 'receipts'>;
  /** Over which it is sent. */
  account: string;
  /** On a client of its own, so that bulk reads do not delay an intent. */
  journalTasks: Collection<TaskDocument>;
  task: TaskDocument;
  range: ChunkRange;
  signal: AbortSignal;
  /** Another holder has the task. */
  onRefused(write: 'intent' | 'outcomes' | 'journal'): void;
}): DeliveryStore {
  const { store, task, range, signal, onRefused } = options;
  const idOf = (index: number) => chunkId(task.batchId, task.incarnation, index);
  const writer = outcomeWriter(store.outcomes, task.ownerSeq, signal);
  /** As they were when the task was taken, each given out once. */
  const untouched = new Map<number, OutcomeDocument>();
  const retry = { deadlineMs: READ_DEADLINE_MS, signal };

  function read<T extends { index: number }>(
    collection: Pick<Collection<T & { _id: string }>, 'find'>,
    indexes: readonly number[],
    projection: Record<string, 0 | 1>,
  ): Promise<T[]> {
    const filter = { _id: { $in: indexes.map(idOf) } } as never;
    return retryTransient(
      async () =>
        (await collection
          .find(filter, { projection, batchSize: 1_000, enableUtf8Validation: false })
          .toArray()) as unknown as T[],
      { ...retry, what: 'reading chunks' },
    );
  }

  function inOrder<T extends { index: number }>(
    kind: string,
    indexes: readonly number[],
    found: readonly T[],
  ): T[] {
    const byIndex = new Map(found.map((each) => [each.index, each]));
    return indexes.map((index) => {
      const each = byIndex.get(index);
      if (!each) throw new Error(`${kind} ${idOf(index)} is missing`);
      return each;
    });
  }

  const loadMessages = async (indexes: readonly number[]) =>
    inOrder('message chunk', indexes, await read<MessageChunk>(store.messageChunks, indexes, { batchId: 0 }));

  async function loadOutcomes(indexes: readonly number[]): Promise<OutcomeDocument[]> {
    const known = indexes.flatMap((index) => untouched.get(index) ?? []);
    for (const { index } of known) untouched.delete(index);
    if (known.length === indexes.length) return known;
    const others = indexes.filter((index) => !known.some((document) => document.index === index));
    // Whole: they are replaced.
    return [...known, ...(await read<OutcomeDocument>(store.outcomes, others, {}))];
  }

  return {
    journal: counted(openJournal(options.journalTasks, task, { signal }), onRefused),
    async takeOver() {
      const taken = await takeOver(store.outcomes, task, range);
      for (const document of taken.untouched) untouched.set(document.index, document);
      return taken;
    },
    loadMessages,
    async load(indexes) {
      const [messages, outcomes] = await Promise.all([loadMessages(indexes), loadOutcomes(indexes)]);
      const ordered = inOrder('outcome document', indexes, outcomes);
      return messages.map((each, i) => ({ messages: each, outcomes: ordered[i]! }));
    },
    receipts: (indexes) =>
      read<ReceiptDocument>(store.receipts, indexes, { states: 1, lateAnswers: 1, index: 1 }),
    hurryReceipts: (msisdns) =>
      retryTransient(() => hurryParked(store.db, options.account, msisdns, Date.now()), {
        ...retry,
        what: 'looking at parked receipts',
      }),
    async writeOutcomes(writes) {
      const ours = await writer.write(writes);
      if (!ours) onRefused('outcomes');
      return ours;
    },
  };
}

function counted(journal: Journal, onRefused: (write: 'intent' | 'journal') => void): Journal {
  return {
    get version() {
      return journal.version;
    },
    async intent(entry) {
      const answer = await journal.intent(entry);
      if (answer.kind === 'lost') onRefused('intent');
      return answer;
    },
    async close(entry) {
      const ours = await journal.close(entry);
      if (!ours) onRefused('journal');
      return ours;
    },
  };
}
