import { chunkId, lifeId } from '../../../contracts/ids.ts';
import type { NumberPlaces } from '../../../lib/store/number-places.ts';
import { chunkOfPlace, place } from '../../../lib/store/task-document.ts';
import { chunkRangeOfTask } from '../../../lib/tables/partition-layout.ts';
import { partitionOf } from '../partition-of.ts';
import { readSourceChunks } from '../source-chunks.ts';
import type { Step, StepContext, StepOutcome } from '../step.ts';
import { stopAt } from '../stop-at.ts';
import { bucketNumbers } from './bucket-numbers.ts';
import { bucketPlaces } from './bucket-places.ts';
import { insertChunks } from './insert-chunks.ts';
import { messageMaker } from './message-maker.ts';
import { type PreparedChunk, prepareChunk } from './prepare-chunk.ts';
import { reportTask } from './report.ts';
import { addChunk, type CountedChunk, type Totals, totalsOf } from './totals.ts';

/** Read, written and accounted for at once; a hold is noticed after so many chunks. */
const CHUNKS_A_GROUP = 8;

/** Renders, encodes and counts the messages of a run of buckets, and finds the duplicates in each. */
export const preparationStep: Step = {
  type: 'preparation',
  defaultTimeoutMs: 5 * 60_000,
  // Measured: one waits for the database half of the time; more than four only queue there.
  concurrency: 4,
  async run(context) {
    const { batch, task, store } = context;
    const partition = await partitionOf(store, batch);
    const range = chunkRangeOfTask(partition, task.n);
    const totals = totalsOf(task);
    const outcome = await prepareRange(context, totals, {
      partition,
      from: Math.max(range.from, chunkOfPlace(task.cursor)),
      to: range.to,
    });
    if (outcome) return outcome.kind === 'yielded' ? { ...outcome, result: totals } : outcome;
    if (batch.dryRun) await reportTask(store, partition, task.n);
    return { kind: 'done', result: totals };
  },
  settle: async ({ task }) => totalsOf(task),
};

interface Range {
  partition: Awaited<ReturnType<typeof partitionOf>>;
  from: number;
  to: number;
}

/** One group is read and one written while another is computed. @returns how it ended before its end, or undefined */
async function prepareRange(
  context: StepContext,
  totals: Totals,
  range: Range,
): Promise<StepOutcome | undefined> {
  const { store, batch, task } = context;
  const { partition, to } = range;
  const maker = messageMaker(batch.definition);
  const numbers = bucketNumbers(store, partition);
  const places = bucketPlaces(store, partition, { batchId: batch._id, incarnation: batch.incarnation });
  const life = lifeId(batch._id, batch.incarnation);
  const read = (from: number) =>
    quiet(readSourceChunks(store, partition, from, Math.min(to, from + CHUNKS_A_GROUP), maker.columns));

  let reading = read(range.from);
  let written: { upTo: number; chunks: Promise<CountedChunk[]> } | undefined;

  async function account(): Promise<StepOutcome | undefined> {
    if (!written) return undefined;
    for (const chunk of await written.chunks) addChunk(totals, chunk);
    return stopAt(context, {
      cursor: place(written.upTo, 0),
      counts: totals.counts,
      segments: totals.segments,
      soFar: { ...totals },
    });
  }

  for (let from = range.from; from < to; ) {
    const sources = await reading;
    const next = from + sources.length;
    if (next < to) reading = read(next);
    const nowMs = Date.now();
    const prepared: PreparedChunk[] = [];
    const numberPlaces: NumberPlaces[] = [];
    for (const [i, source] of sources.entries()) {
      const index = from + i;
      const at = {
        id: chunkId(batch._id, batch.incarnation, index),
        batchId: batch._id,
        index,
        task: task.n,
      };
      const chunk = prepareChunk(source, at, maker, await numbers.seenBefore(index), nowMs);
      prepared.push(chunk);
      const wholeBucket = await places.add(chunk.message);
      if (wholeBucket) numberPlaces.push(wholeBucket);
      // Deliveries in the same process have sockets to serve.
      await new Promise(setImmediate);
    }
    const ended = await account();
    if (ended) return ended;
    written = { upTo: next, chunks: quiet(insertChunks(store, prepared, numberPlaces)) };
    from = next;
  }
  const ended = await account();
  context.log.debug({ life, from: range.from, to }, 'prepared');
  return ended;
}

/** Awaited later: until then a rejection must not be unhandled. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
