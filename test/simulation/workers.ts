import type { JsMsg } from '@nats-io/jetstream';
import { chunkId, lifeId } from '../../contracts/ids.ts';
import { addCounts, noOutcomes, type OutcomeCounts } from '../../contracts/outcomes.ts';
import { parseStepSubject, STREAMS } from '../../contracts/subjects.ts';
import { backoffMs } from '../../lib/lifecycle/backoff.ts';
import type { RateLimiter } from '../../lib/rate/rate-limiter.ts';
import { insertNew } from '../../lib/store/insert-new.ts';
import { chunkRangeOfTask } from '../../lib/tables/partition-layout.ts';
import { deliveryStep } from '../../services/steps/delivery/delivery-step.ts';
import { receiptIntake } from '../../services/steps/delivery/providers/receipt-intake.ts';
import { partitionOf } from '../../services/steps/partition-of.ts';
import { statisticsStep } from '../../services/steps/statistics/step.ts';
import type { Step } from '../../services/steps/step.ts';
import { stopAt } from '../../services/steps/stop-at.ts';
import { parseTask } from '../../services/steps/task-message.ts';
import { workOnTask } from '../../services/steps/work-on-task.ts';
import { simulatedProvider } from './line.ts';
import { consume, noMetrics, type Process } from './process.ts';
import { partitionDocument, placesOfTask, preparedChunk } from './recipients.ts';
import type { World } from './world.ts';

const STEPS = ['validation', 'partition', 'preparation', 'delivery', 'statistics'];
const ROOM = 4;

export function addSteps({ bus, consumers }: World): void {
  for (const type of STEPS) {
    const name = `step-${type}`;
    const wants = (subject: string) => parseStepSubject(subject)?.type === type;
    consumers.set(name, bus.consumer(name, STREAMS.steps, wants, 10_000));
  }
}

/** A host of steps: the real runner's work, delivery and count; the steps before them write what a batch needs. */
export function workers(process: Process, limiter: Pick<RateLimiter, 'reserve'>): void {
  const { world, host, store, publisher, log } = process;
  const workshop = {
    store,
    publisher,
    metrics: noMetrics<never>(),
    log,
    holder: host.name,
    progressEveryMs: 1_000,
  };
  const steps = [
    validation,
    partition(world),
    preparation(world),
    delivery(process, limiter),
    statistics(world),
  ];
  for (const step of steps) {
    consume(process, world.consumers.get(`step-${step.type}`)!, {
      room: ROOM,
      handle: async (message: JsMsg) => {
        const parsed = parseTask(message);
        if (parsed.ok) return workOnTask(workshop, step, parsed.task, message, host.abort.signal);
        world.breaks('no task is poison', `${message.subject}: ${parsed.reason}`);
        return 'ack';
      },
      onError: (error, { subject, info }) => {
        world.timeline.note(`${host.name}: ${subject} comes back: ${(error as Error).message}`);
        return { nak: Math.round(backoffMs(info.deliveryCount, { firstMs: 500, capMs: 10_000 })) };
      },
    });
  }
}

function delivery(
  { world, host, store, publisher, log }: Process,
  limiter: Pick<RateLimiter, 'reserve'>,
): Step {
  const { timeline, carrier, options } = world;
  const intake = receiptIntake({ provider: 'carrier', publisher, id: host.name, log });
  carrier.bind(host, intake);
  const provider = simulatedProvider({
    host,
    timeline,
    carrier,
    window: options.window,
    catchAtSocket: () => timeline.chance(world.catchAtSocket),
  });
  const connected = { provider, intake, senderTps: null };
  return deliveryStep({
    providers: { get: () => connected, all: () => [connected] },
    limiter,
    journalTasks: store.tasks,
    retryWaitsMs: [500, 1_000, 2_000],
  });
}

const validation: Step = {
  type: 'validation',
  defaultTimeoutMs: 60_000,
  run: async () => ({ kind: 'done' }),
};

const partition = (world: World): Step => ({
  type: 'partition',
  defaultTimeoutMs: 60_000,
  async run({ batch, store }) {
    const document = partitionDocument(world.planOf(batch._id), lifeId(batch._id, batch.incarnation));
    await insertNew(store.partitions, [document]);
    const { total, chunks, taskStarts } = document;
    return { kind: 'done', result: { total, chunks, tasks: taskStarts.length } };
  },
});

const preparation = (world: World): Step => ({
  type: 'preparation',
  defaultTimeoutMs: 60_000,
  async run(context) {
    const { batch, message, store } = context;
    const plan = world.planOf(batch._id);
    const { from, to } = chunkRangeOfTask(await partitionOf(store, batch), message.task);
    const idOf = (index: number) => chunkId(batch._id, batch.incarnation, index);
    let counts = noOutcomes();
    const chunks = [];
    for (let index = from; index < to; index++) {
      const stopped = await stopAt(context);
      if (stopped) return stopped;
      const { outcomes, messages } = preparedChunk(plan, idOf(index), index);
      await insertNew(store.outcomes, [outcomes]);
      await insertNew(store.messageChunks, [messages]);
      counts = addCounts(counts, outcomes.counts);
      chunks.push(messages);
    }
    await insertNew(store.numberPlaces, [placesOfTask(idOf(from), batch._id, chunks)]);
    return { kind: 'done', result: { counts, segments: 0 } };
  },
});

const statistics = (world: World): Step => ({
  ...statisticsStep,
  async run(context) {
    const end = await statisticsStep.run(context);
    const { countsInstead } = world;
    if (!countsInstead || end.kind !== 'done') return end;
    const total = context.batch.size?.total ?? 0;
    const counts = countsInstead(end.result!.counts as OutcomeCounts, total);
    return { ...end, result: { ...end.result, counts } };
  },
});
