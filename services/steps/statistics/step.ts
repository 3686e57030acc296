import Type from 'typebox';
import { check } from '../../../contracts/check.ts';
import { lifeId } from '../../../contracts/ids.ts';
import { addCounts, noOutcomes } from '../../../contracts/outcomes.ts';
import { chunkRangeOfTask } from '../../../lib/tables/partition-layout.ts';
import { type Step, StepFailure, type StepOutcome } from '../step.ts';
import { stopAt } from '../stop-at.ts';
import { countOutcomes } from './count-outcomes.ts';
import { endPending } from './end-pending.ts';

/** Given by the actor, never by a user's chain: the last count of a batch that will not succeed. */
const StatisticsConfig = Type.Object({
  finish: Type.Optional(Type.Union([Type.Literal('abort'), Type.Literal('expire')])),
  /** MongoDB was set back: who is pending may have been sent to. */
  restored: Type.Optional(Type.Boolean()),
});

/** Recounts what became of every recipient; the actor decides on this count. */
export const statisticsStep: Step = {
  type: 'statistics',
  defaultTimeoutMs: 10 * 60_000,
  concurrency: 2,
  async run(context) {
    const { batch, message, store } = context;
    const config = check(StatisticsConfig, message.config);
    if (!config.ok)
      throw new StepFailure('invalid', 'The step’s configuration does not hold.', config.errors);
    const life = lifeId(batch._id, batch.incarnation);
    const partition = await store.partitions.findOne({ _id: life });
    if (!partition)
      throw new StepFailure('not-partitioned', 'The batch was never partitioned: nothing to count.');

    const { finish, restored = false } = config.value;
    if (finish !== undefined) {
      for (let n = 0; n < partition.taskStarts.length; n++) {
        const stopped = await stopAt(context);
        if (stopped) return stopped;
        const { from, to } = chunkRangeOfTask(partition, n);
        await endPending(
          store,
          { batchId: batch._id, incarnation: batch.incarnation },
          { n, from, to },
          { holder: context.task.holder ?? '', expire: finish === 'expire', restored },
        );
      }
    }

    let stopped: StepOutcome | undefined;
    const count = await countOutcomes(store, life, async () => {
      stopped = await stopAt(context);
      return stopped === undefined;
    });
    if (!count) return stopped!;
    // Not prepared yet: they have no document, but they are recipients.
    const uncovered = partition.total - count.covered;
    if (uncovered < 0) throw new Error(`${life} has ${count.covered} recipients of ${partition.total}`);
    const { receipts, segments, resent } = count;
    const rest = finish && restored ? 'unknown' : 'pending';
    const counts = addCounts(count.counts, { ...noOutcomes(), [rest]: uncovered });
    return { kind: 'done', result: { counts, receipts, segments, resent } };
  },
};
