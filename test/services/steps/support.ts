import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { BatchDefinition, InlineRecipient } from '../../../contracts/batch.ts';
import { lifeId } from '../../../contracts/ids.ts';
import type { StepTask } from '../../../contracts/steps.ts';
import { streamShapes } from '../../../contracts/streams.ts';
import { parseCommandSubject, STREAMS, stepSubject } from '../../../contracts/subjects.ts';
import { connectMongo } from '../../../lib/mongo/connect.ts';
import { connectNats, type Nats } from '../../../lib/nats/connect.ts';
import { type Publisher, publisher as publisherOf } from '../../../lib/nats/publish.ts';
import { ensureStream } from '../../../lib/nats/streams.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import { type Store, storeOf } from '../../../lib/store/collections.ts';
import { placeRows } from '../../../lib/tables/place-rows.ts';
import { givenRows } from '../../../lib/tables/sources/given-rows.ts';
import { holdTasks, issueTasks } from '../../../lib/tasks/issue.ts';
import { PLAIN_STEPS } from '../../../services/steps/built-in-steps.ts';
import { type Steps, startSteps } from '../../../services/steps/component.ts';
import { stepMetrics } from '../../../services/steps/metrics.ts';
import { stepRegistry } from '../../../services/steps/registry.ts';
import type { Step } from '../../../services/steps/step.ts';
import { testServers } from '../../support/servers.ts';

export const silent = pino({ level: process.env.TEST_LOG ?? 'silent' });

// biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the answer holds
export type AnswerBody = Record<string, any>;
export interface Answer {
  verb: string;
  body: AnswerBody;
}

/** Servers, streams and a store; hands out tasks as the actor does, and hears the answers. */
export interface Rig extends AsyncDisposable {
  nats: Nats;
  /** Of all processes that it serves. */
  metrics: Registry;
  store: Store;
  publisher: Publisher;
  urls: { natsUrl: string; mongoUrl: string; mongoDatabase: string };
  /** Starts a process's worth of steps. */
  serve(steps?: readonly Step[], options?: { types?: string[]; holder?: string }): Promise<Steps>;
  batch(
    id: string,
    definition: Partial<BatchDefinition>,
    more?: Partial<BatchDocument>,
  ): Promise<BatchDocument>;
  table(name: string, rows: readonly InlineRecipient[]): Promise<void>;
  /** Hands out a task, and resolves with its answer. */
  run(
    batch: BatchDocument,
    step: string,
    n?: number,
    more?: { epoch?: number; config?: object },
  ): Promise<Answer>;
  issue(
    batch: BatchDocument,
    step: string,
    n?: number,
    more?: { epoch?: number; config?: object },
  ): Promise<StepTask>;
  /** The next answer of a task in an epoch. */
  answered(batchId: string, step: string, n: number, epoch: number): Promise<Answer>;
  /** All answers so far, redelivered ones too. */
  answers: Answer[];
  hold(batch: BatchDocument, step: string, n: number, epoch: number): Promise<void>;
  /** Partition and every task of preparation. @returns their answers */
  prepare(batch: BatchDocument): Promise<{ size: AnswerBody; prepared: AnswerBody[] }>;
}

export async function testRig(): Promise<Rig> {
  const servers = await testServers(['nats', 'mongo']);
  const { natsUrl, mongoUrl, mongoDatabase } = servers;
  const nats = await connectNats({ url: natsUrl, name: 'test', log: silent });
  const mongo = await connectMongo({ url: mongoUrl, database: mongoDatabase, name: 'test', log: silent });
  for (const shape of streamShapes())
    await ensureStream(nats.jsm, shape as Parameters<typeof ensureStream>[1]);
  const store = storeOf(mongo.db);
  const publisher = publisherOf(nats);
  const metrics = new Registry();
  const started: Steps[] = [];
  const answers: Answer[] = [];
  const waiting: { key: string; resolve: (answer: Answer) => void }[] = [];
  const listening = await listen(nats, (answer) => {
    answers.push(answer);
    const key = keyOf(answer.body);
    for (let i = waiting.length - 1; i >= 0; i--) {
      if (waiting[i]!.key === key) waiting.splice(i, 1)[0]!.resolve(answer);
    }
  });

  const rig: Rig = {
    nats,
    metrics,
    store,
    publisher,
    urls: { natsUrl, mongoUrl, mongoDatabase },
    answers,
    async serve(steps = PLAIN_STEPS, { types = [], holder } = {}) {
      const part = startSteps({
        nats,
        store,
        config: { STEP_TYPES: types },
        registry: stepRegistry(steps),
        metrics: stepMetrics(metrics),
        log: silent,
        version: '1.0.0',
        expiresMs: 1_000,
        progressEveryMs: 20,
        ...(holder !== undefined && { holder }),
      });
      started.push(part);
      await part.start();
      return part;
    },
    async batch(id, definition, more = {}) {
      const document = batchDocument(id, definition, more);
      await store.batches.replaceOne({ _id: id }, document, { upsert: true });
      return document;
    },
    async table(name, rows) {
      await placeRows(store, { table: name, source: givenRows(rows) });
    },
    async issue(batch, step, n = 0, { epoch = 1, config = {} } = {}) {
      const task: StepTask = {
        batchId: batch._id,
        step,
        task: n,
        epoch,
        incarnation: batch.incarnation,
        config: config as Record<string, unknown>,
      };
      await issueTasks(store.tasks, [task], null, Date.now());
      await publisher.publish({
        stream: STREAMS.steps,
        subject: stepSubject(step, batch._id, n, epoch),
        body: task,
        msgId: `${batch._id}.${step}.${n}.${epoch}.${Math.random()}`,
      });
      return task;
    },
    answered: (batchId, step, n, epoch) =>
      new Promise((resolve) => waiting.push({ key: `${batchId}.${step}.${n}.${epoch}`, resolve })),
    async run(batch, step, n = 0, more = {}) {
      const answer = rig.answered(batch._id, step, n, more.epoch ?? 1);
      await rig.issue(batch, step, n, more);
      return answer;
    },
    hold: (batch, step, n, epoch) =>
      holdTasks(store.tasks, { batchId: batch._id, incarnation: batch.incarnation, step, epoch, out: [n] }),
    async prepare(batch) {
      const { verb, body } = await rig.run(batch, 'partition');
      if (verb !== 'step-done') throw new Error(`partition: ${JSON.stringify(body)}`);
      const tasks = Array.from({ length: body.result.tasks as number }, (_, n) => n);
      const prepared = await Promise.all(tasks.map((n) => rig.run(batch, 'preparation', n)));
      return { size: body.result, prepared: prepared.map((each) => each.body.result) };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(started.map((each) => each.stop()));
      await listening[Symbol.asyncDispose]();
      await mongo.close();
      await nats.close();
      await servers.stop();
    },
  };
  return rig;
}

const keyOf = ({ batchId, step, task, epoch }: AnswerBody): string => `${batchId}.${step}.${task}.${epoch}`;

/** A consumer of the whole command stream, in the place of the actors. */
async function listen(nats: Nats, heard: (answer: Answer) => void): Promise<AsyncDisposable> {
  await nats.jsm.consumers.add(STREAMS.commands, {
    durable_name: 'test',
    ack_policy: 'explicit',
    filter_subject: 'sms.cmd.>',
  });
  const consumer = await nats.js.consumers.get(STREAMS.commands, 'test');
  const messages = await consumer.consume({ max_messages: 1_000 });
  const done = (async () => {
    for await (const message of messages) {
      const { batchId, verb } = parseCommandSubject(message.subject)!;
      message.ack();
      heard({ verb, body: { ...message.json<AnswerBody>(), batchId } });
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      await messages.close();
      await done;
    },
  };
}

export function batchDocument(
  id: string,
  definition: Partial<BatchDefinition>,
  more: Partial<BatchDocument> = {},
): BatchDocument {
  return {
    _id: id,
    incarnation: 'l1',
    version: 1,
    createHash: '',
    definition: { name: id, content: 'Hello', ...definition },
    state: { phase: 'preparation', status: 'Running' },
    steps: [],
    stepIndex: 0,
    epoch: 1,
    totals: {},
    deliveryBegan: false,
    stateSince: 0,
    progressAt: 0,
    lastCommandSeq: 0,
    lastCommandAt: 0,
    outbox: [],
    publishedVersion: 0,
    unpublished: false,
    history: [],
    createdAt: 0,
    updatedAt: 0,
    ...more,
  };
}

export const lifeOf = (batch: BatchDocument): string => lifeId(batch._id, batch.incarnation);

export const people = (count: number, variables: (n: number) => Record<string, string> = () => ({})) =>
  Array.from({ length: count }, (_, n) => ({ phone: `+${mobile(n)}`, variables: variables(n) }));

/** How many numbers `crowdedBucket` has, each of them five times. */
export const CROWD = 760;

/** A table of one bucket, since it is small, with 20 chunks, since it came in 20 imports: three groups of writes. */
export async function crowdedBucket(rig: Pick<Rig, 'table'>, name: string): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const all = people(CROWD, (n) => ({ name: `N ${n}`, i: `${i}` }));
    const from = (i % 4) * (CROWD / 4);
    await rig.table(name, all.slice(from, from + CROWD / 4));
  }
}

/** Valid British mobiles, each once. */
export const mobile = (n: number): string => `4479${String(11_000_000 + n).padStart(8, '0')}`;
