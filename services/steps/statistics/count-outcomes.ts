import {
  addCounts,
  addReceipts,
  noOutcomes,
  noReceipts,
  type OutcomeCounts,
  type ReceiptCounts,
} from '../../../contracts/outcomes.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { mergeOutcomes } from '../../../lib/store/merge-outcomes.ts';
import { idsUnder } from '../../../lib/tables/chunk-ranges.ts';

export interface Recount {
  counts: OutcomeCounts;
  receipts: ReceiptCounts;
  /** Segments of the accepted ones. */
  segments: number;
  resent: number;
  /** Recipients whose outcome documents were found. */
  covered: number;
}

interface ReceiptSummary {
  counts: ReceiptCounts;
  /** Late answers, or receipts that came before the outcomes were stored: its own counts do not have them. */
  behind: boolean;
}

const DOCUMENTS_A_READ = 500;
/** Chunks that have to be merged are read whole, so many at a time. */
const MERGED_A_READ = 20;

/**
 * Recounts a batch from its documents, never from a counter: outcome documents by their own vectors of counts, and chunk by
 * chunk, merged with its receipts, only where a receipt can move a status.
 * @param pulse called between reads; false ends the count early with undefined
 */
export async function countOutcomes(
  store: Pick<Store, 'outcomes' | 'receipts'>,
  life: string,
  pulse: () => Promise<boolean>,
): Promise<Recount | undefined> {
  const receipts = await readReceipts(store, life, pulse);
  if (!receipts) return undefined;
  const sum: Recount = {
    counts: noOutcomes(),
    receipts: noReceipts(),
    segments: 0,
    resent: 0,
    covered: 0,
  };
  let toMerge: string[] = [];
  const merge = async () => {
    await mergeChunks(store, toMerge, sum);
    toMerge = [];
  };
  const projection = { counts: 1, size: 1, segments: 1, resent: 1 } as const;
  const cursor = store.outcomes.find({ _id: idsUnder(life) }, { projection, batchSize: DOCUMENTS_A_READ });
  let read = 0;
  for await (const { _id, counts, size, segments, resent } of cursor) {
    sum.covered += size;
    sum.segments += segments;
    sum.resent += resent;
    const receipt = receipts.get(_id);
    if (receipt && (receipt.behind || counts.unknown > 0 || counts.pending > 0 || counts.inFlight > 0)) {
      toMerge.push(_id);
      if (toMerge.length === MERGED_A_READ) await merge();
    } else {
      sum.counts = addCounts(sum.counts, counts);
      if (receipt) sum.receipts = addReceipts(sum.receipts, receipt.counts);
    }
    read++;
    if (read % DOCUMENTS_A_READ === 0 && !(await pulse())) return undefined;
  }
  await merge();
  return sum;
}

async function readReceipts(
  { receipts }: Pick<Store, 'receipts'>,
  life: string,
  pulse: () => Promise<boolean>,
): Promise<Map<string, ReceiptSummary> | undefined> {
  const found = new Map<string, ReceiptSummary>();
  const projection = { counts: 1, uncounted: 1, 'lateAnswers.position': 1 } as const;
  const cursor = receipts.find({ _id: idsUnder(life) }, { projection, batchSize: DOCUMENTS_A_READ });
  for await (const { _id, counts, uncounted = 0, lateAnswers } of cursor) {
    found.set(_id, { counts, behind: uncounted > 0 || lateAnswers.length > 0 });
    if (found.size % DOCUMENTS_A_READ === 0 && !(await pulse())) return undefined;
  }
  return found;
}

async function mergeChunks(
  store: Pick<Store, 'outcomes' | 'receipts'>,
  ids: readonly string[],
  sum: Recount,
): Promise<void> {
  if (ids.length === 0) return;
  const filter = { _id: { $in: [...ids] } };
  const [outcomes, receipts] = await Promise.all([
    store.outcomes.find(filter, { batchSize: MERGED_A_READ }).toArray(),
    store.receipts.find(filter, { batchSize: MERGED_A_READ }).toArray(),
  ]);
  const byId = new Map(receipts.map((each) => [each._id, each]));
  for (const outcome of outcomes) {
    const merged = mergeOutcomes(outcome, byId.get(outcome._id));
    sum.counts = addCounts(sum.counts, merged.counts);
    sum.receipts = addReceipts(sum.receipts, merged.receipts);
  }
}
