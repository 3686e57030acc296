import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import Type, { type Static } from 'typebox';
import { FINAL_STATUSES } from '../../../contracts/states.ts';
import { apiSubject, commandSubject, STREAMS } from '../../../contracts/subjects.ts';
import { request, ServiceError } from '../../../lib/nats/request.ts';
import { isUnavailable } from '../../../lib/nats/unavailable.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { SCHEDULES } from '../../../lib/store/own-collections.ts';
import { removeLeftovers } from './leftovers.ts';
import type { TaskContext, TaskType } from './task-type.ts';

const days = (what: string, byDefault: number) =>
  Type.Optional(
    Type.Number({ minimum: 0, maximum: 36_500, default: byDefault, description: `${what}, in days.` }),
  );

const Config = Type.Object(
  {
    succeededDays: days('Age of a Succeeded batch that goes', 90),
    failedDays: days('Age of a Failed batch that goes', 180),
    abortedDays: days('Age of an Aborted batch that goes', 180),
    deadLettersDays: days('Age of a dead letter that goes', 30),
    schedulesDays: days('Age of a schedule that is done or cancelled', 30),
    dryRun: Type.Optional(Type.Boolean({ description: 'Only says what would go.' })),
  },
  { additionalProperties: false },
);

const DAY_MS = 24 * 3_600_000;
const A_PAGE = 500;
/** Shown by name; all of them are counted. */
const EXAMPLES = 20;

/** What has gone, or would go. */
export interface CleanupResult {
  dryRun: boolean;
  batches: { count: number; byState: Record<string, number>; examples: string[] };
  leftovers: { lives: number; examples: string[] };
  deadLetters: number;
  schedules: number;
}

/**
 * Retention: finished batches by state and age (their actors remove them, with chunks and journals), chunks and journals
 * that no batch names any more, dead letters, schedules that are over. A batch that has not ended is never touched: its
 * actor would refuse, and is not even asked.
 */
export const cleanup: TaskType = {
  type: 'cleanup',
  description: 'Removes finished batches, leftovers, dead letters and old schedules by age.',
  configSchema: Config,
  async run(context) {
    const config = context.run.config as Static<typeof Config>;
    const dryRun = config.dryRun ?? false;
    const result: CleanupResult = {
      dryRun,
      batches: await oldBatches(context, config, dryRun),
      leftovers: await removeLeftovers(context.store, { dryRun, examples: EXAMPLES, signal: context.signal }),
      deadLetters: await oldDeadLetters(context, config.deadLettersDays ?? 30, dryRun),
      schedules: await oldSchedules(context, config.schedulesDays ?? 30, dryRun),
    };
    return result;
  },
};

async function oldBatches(
  { store, publisher, nc, nowMs, run, signal }: TaskContext,
  config: Static<typeof Config>,
  dryRun: boolean,
): Promise<CleanupResult['batches']> {
  const ages = {
    Succeeded: config.succeededDays ?? 90,
    Failed: config.failedDays ?? 180,
    Aborted: config.abortedDays ?? 180,
  };
  const found: CleanupResult['batches'] = { count: 0, byState: {}, examples: [] };
  for (const status of FINAL_STATUSES) {
    const before = nowMs - ages[status] * DAY_MS;
    for await (const { _id: id, definition } of endedBefore(store, status, before)) {
      if (signal.aborted) throw new Error('stopped before its end; the next run goes on');
      found.count += 1;
      found.byState[status] = (found.byState[status] ?? 0) + 1;
      if (found.examples.length < EXAMPLES) found.examples.push(id);
      if (dryRun) continue;
      // Imported for this batch alone; before the batch, which is not found any more after it.
      if (definition?.tableStorageName === id) await deleteTable(nc, id, signal);
      await publisher.publish({
        subject: commandSubject(id, 'delete'),
        stream: STREAMS.commands,
        msgId: `cleanup:${id}:${run.runId}`,
        body: { operatorId: 'cleanup', reason: `${status} for more than ${ages[status]} days` },
      });
    }
  }
  return found;
}

/** Ended batches by their ID: those with children that wait for them are refused by their actor, and come again. */
async function* endedBefore(
  store: Store,
  status: string,
  beforeMs: number,
): AsyncGenerator<Pick<BatchDocument, '_id' | 'definition'>, void> {
  let after = '';
  for (;;) {
    const page = await store.batches
      .find(
        {
          'state.status': status as 'Succeeded',
          'state.phase': null as never,
          endedAt: { $lt: beforeMs },
          deletedAt: { $exists: false },
          _id: { $gt: after },
        },
        { projection: { 'definition.tableStorageName': 1 } },
      )
      .sort({ _id: 1 })
      .limit(A_PAGE)
      .batchSize(A_PAGE)
      .toArray();
    yield* page;
    if (page.length < A_PAGE) return;
    after = page.at(-1)!._id;
  }
}

async function deleteTable(nc: NatsConnection, table: string, signal: AbortSignal): Promise<void> {
  try {
    await request(nc, apiSubject('table', 'delete'), { table }, { deadlineMs: 10_000, signal });
  } catch (error) {
    if (!(error instanceof ServiceError && error.code === '404')) throw error;
  }
}

async function oldSchedules({ store, nowMs }: TaskContext, age: number, dryRun: boolean): Promise<number> {
  const schedules = store.db.collection<{ _id: string; state: string; updatedAt: number; active: unknown[] }>(
    SCHEDULES,
  );
  const filter = {
    state: { $in: ['done', 'cancelled'] },
    updatedAt: { $lt: nowMs - age * DAY_MS },
    active: { $size: 0 },
    // A default that somebody has cancelled would be created again.
    byDefault: { $ne: true },
  };
  if (dryRun) return schedules.countDocuments(filter);
  return (await schedules.deleteMany(filter)).deletedCount;
}

async function oldDeadLetters({ nats, nowMs }: TaskContext, age: number, dryRun: boolean): Promise<number> {
  const before = nowMs - age * DAY_MS;
  const { state } = await nats.jsm.streams.info(STREAMS.dead, { deleted_details: true });
  if (state.messages === 0) return 0;
  const end = (await firstSince(nats.jsm, before)) ?? state.last_seq + 1;
  if (!dryRun) return (await nats.jsm.streams.purge(STREAMS.dead, { seq: end })).purged;
  const replayed = (state.deleted ?? []).filter((seq) => seq >= state.first_seq && seq < end).length;
  return Math.max(0, end - state.first_seq - replayed);
}

/** Sequence of the first letter that is young enough to stay. */
async function firstSince(jsm: JetStreamManager, sinceMs: number): Promise<number | undefined> {
  try {
    const found = await jsm.direct.getMessage(STREAMS.dead, { start_time: new Date(sinceMs) });
    return found?.seq;
  } catch (error) {
    if (isUnavailable(error)) throw error;
    return undefined;
  }
}
