import { lifeId } from '../../contracts/ids.ts';
import {
  addCounts,
  addReceipts,
  noOutcomes,
  noReceipts,
  OUTCOME_LETTERS,
  type OutcomeCounts,
  type ReceiptCounts,
  type ResolvedCounts,
} from '../../contracts/outcomes.ts';
import type { BatchDocument } from '../store/batch-document.ts';
import type { OutcomeColumns, OutcomeDocument, ReceiptDocument } from '../store/chunk-documents.ts';
import type { Store } from '../store/collections.ts';
import { mergeOutcomes } from '../store/merge-outcomes.ts';
import { countStatuses, OpenChunk } from '../store/outcome-columns.ts';
import { chunkOfPlace, place, type TaskDocument } from '../store/task-document.ts';
import { idsUnder } from '../tables/chunk-ranges.ts';
import { chunkRangeOfTask, sourceChunkAt, type TaskLayout } from '../tables/partition-layout.ts';

/** The account of a batch: `total` is null until `partition` has counted it; then it is the sum of `counts`. */
export interface Account {
  total: number | null;
  counts: OutcomeCounts;
  receipts: ReceiptCounts;
  /** Accepted or rejected by now; `unknown` to the task that wrote their outcome. */
  resolved: ResolvedCounts;
}

type AccountStore = Pick<Store, 'partitions' | 'tasks' | 'outcomes' | 'receipts' | 'sourceChunks'>;
type AccountedBatch = Pick<BatchDocument, '_id' | 'incarnation'>;
type AccountedTask = Pick<TaskDocument, 'n' | 'out' | 'cursor' | 'authorisedTo' | 'again' | 'facts'>;

const CHUNKS_A_READ = 100;

/**
 * Counted from the system of record: outcome documents, merged with receipt documents, for the tasks that are out what
 * their journal knows beyond them, and for chunks that are not prepared yet the rows of their source. Every term of the
 * identity is counted, none is a difference.
 *
 * Tasks are read first: a fact that moves into its outcome document meanwhile is then seen twice, and counted once.
 */
export async function accountOf(store: AccountStore, batch: AccountedBatch): Promise<Account> {
  const life = lifeId(batch._id, batch.incarnation);
  const partition = await store.partitions.findOne({ _id: life });
  const resolved: ResolvedCounts = { accepted: 0, rejected: 0 };
  if (!partition) return { total: null, counts: noOutcomes(), receipts: noReceipts(), resolved };

  const facts = factsByChunk(await readTasks(store, life), partition);
  const receiptsByChunk = await readReceipts(store, life);
  let counts = noOutcomes();
  let receipts = noReceipts();
  const unprepared = new Set(Array.from({ length: partition.chunks }, (_, index) => index));
  const toMerge: string[] = [];
  const sent = store.outcomes.find({ _id: idsUnder(life) }, { projection: { index: 1, counts: 1 } });
  for await (const { _id, index, counts: own } of sent) {
    unprepared.delete(index);
    const receipt = receiptsByChunk.get(index);
    const behind = receipt && (receipt.uncounted > 0 || own.unknown > 0);
    if (facts.has(index) || behind) {
      toMerge.push(_id);
      continue;
    }
    counts = addCounts(counts, own);
    if (receipt) receipts = addReceipts(receipts, receipt.counts);
  }
  for (const ids of pages(toMerge)) {
    for (const merged of await mergePage(store, ids, facts)) {
      counts = addCounts(counts, merged.counts);
      receipts = addReceipts(receipts, merged.receipts);
      resolved.accepted += merged.resolved.accepted;
      resolved.rejected += merged.resolved.rejected;
    }
  }
  const sources = [...unprepared].map((index) => sourceChunkAt(partition, index).id);
  for (const ids of pages(sources)) counts.pending += await rowsOf(store, ids);
  return { total: partition.total, counts, receipts, resolved };
}

async function rowsOf(store: AccountStore, ids: readonly string[]): Promise<number> {
  const found = await store.sourceChunks
    .find({ _id: { $in: [...ids] } }, { projection: { size: 1 }, batchSize: CHUNKS_A_READ })
    .toArray();
  return found.reduce((sum, { size }) => sum + size, 0);
}

function* pages<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += CHUNKS_A_READ) yield items.slice(at, at + CHUNKS_A_READ);
}

const readTasks = (store: AccountStore, life: string): Promise<AccountedTask[]> =>
  store.tasks
    .find<AccountedTask>(
      { _id: idsUnder(`${life}.delivery`), done: false },
      { projection: { n: 1, out: 1, cursor: 1, authorisedTo: 1, again: 1, facts: 1 } },
    )
    .toArray();

/** What a task's journal says of a chunk: outcomes not stored yet, and up to where it may have been sent. */
interface ChunkFacts {
  columns: OutcomeColumns | undefined;
  task: AccountedTask;
}

function factsByChunk(tasks: readonly AccountedTask[], layout: TaskLayout): Map<number, ChunkFacts> {
  const facts = new Map<number, ChunkFacts>();
  for (const task of tasks) {
    if (task.out) {
      const { from, to } = chunkRangeOfTask(layout, task.n);
      const end = Math.min(to, chunkOfPlace(task.authorisedTo - 1) + 1);
      for (let index = Math.max(from, chunkOfPlace(task.cursor)); index < end; index++) {
        facts.set(index, { columns: undefined, task });
      }
      for (const again of task.again) facts.set(chunkOfPlace(again), { columns: undefined, task });
    }
    for (const { index, columns } of task.facts) facts.set(index, { columns, task });
  }
  return facts;
}

type ReceiptSum = { counts: ReceiptCounts; uncounted: number };

async function readReceipts(store: AccountStore, life: string): Promise<Map<number, ReceiptSum>> {
  const sums = new Map<number, ReceiptSum>();
  const found = store.receipts.find(
    { _id: idsUnder(life) },
    { projection: { index: 1, counts: 1, uncounted: 1 } },
  );
  for await (const { index, counts, uncounted = 0 } of found) sums.set(index, { counts, uncounted });
  return sums;
}

async function mergePage(store: AccountStore, ids: readonly string[], facts: Map<number, ChunkFacts>) {
  const filter = { _id: { $in: [...ids] } };
  const [outcomes, receipts] = await Promise.all([
    store.outcomes.find(filter, { batchSize: CHUNKS_A_READ }).toArray(),
    store.receipts.find(filter, { batchSize: CHUNKS_A_READ }).toArray(),
  ]);
  const receiptOf = new Map<string, ReceiptDocument>(receipts.map((each) => [each._id, each]));
  return outcomes.map((outcome) =>
    mergeOutcomes(withFacts(outcome, facts.get(outcome.index)), receiptOf.get(outcome._id)),
  );
}

const PENDING = OUTCOME_LETTERS.pending.charCodeAt(0);
const IN_FLIGHT = OUTCOME_LETTERS.inFlight.charCodeAt(0);

/** The chunk as its task's journal knows it. */
export function withFacts(outcome: OutcomeDocument, known: ChunkFacts | undefined): OutcomeDocument {
  if (!known) return outcome;
  const open = new OpenChunk(outcome);
  if (known.columns) open.overlay(known.columns);
  const columns = open.encode();
  const { task } = known;
  if (task.out) {
    const again = new Set(task.again);
    const waiting = new Set(columns.waiting.map((entry) => entry.position));
    const statuses = Buffer.from(columns.statuses, 'latin1');
    for (let position = 0; position < outcome.size; position++) {
      const at = place(outcome.index, position);
      if (at >= task.authorisedTo) break;
      // One that waits for its next attempt is known not to be with the carrier, unless that attempt is under way.
      const sent = !waiting.has(position) || again.has(at);
      if (statuses[position] === PENDING && sent) statuses[position] = IN_FLIGHT;
    }
    columns.statuses = statuses.toString('latin1');
  }
  return { ...outcome, ...columns, counts: countStatuses(columns.statuses) };
}
