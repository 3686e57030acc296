import type { JsMsg } from '@nats-io/jetstream';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { ErrorBody } from '../../../contracts/errors.ts';
import { streamShapes } from '../../../contracts/streams.ts';
import { STREAMS } from '../../../contracts/subjects.ts';
import type { Part } from '../../../lib/lifecycle/part.ts';
import { connectMongo } from '../../../lib/mongo/connect.ts';
import { connectNats, type Nats } from '../../../lib/nats/connect.ts';
import { keepMade } from '../../../lib/nats/keep-made.ts';
import { request, ServiceError } from '../../../lib/nats/request.ts';
import { ensureStream } from '../../../lib/nats/streams.ts';
import { type Store, storeOf } from '../../../lib/store/collections.ts';
import type { Servers } from '../../../scripts/servers/start-servers.ts';
import { startScheduler } from '../../../services/scheduler/component.ts';
import type { ScheduleDocument } from '../../../services/scheduler/schedule-document.ts';
import { schedulesOf } from '../../../services/scheduler/schedule-store.ts';
import { type TaskType, taskTypes } from '../../../services/scheduler/tasks/task-type.ts';
import { testServers } from '../../support/servers.ts';
import { until } from '../../support/until.ts';

export const log = pino({ level: process.env.LOG_LEVEL ?? 'silent' });

/** Subjects that the schedules of a test publish to: a stream keeps what came. */
export const CAUGHT = 'CAUGHT';
export const CONFIG = {
  SCHEDULER_SUBJECTS: ['caught.>', 'sms.cmd.*.*', 'plain.>'],
  SCHEDULER_TASKS_AT_ONCE: 2,
};

export interface SchedulerWorld extends AsyncDisposable {
  servers: Servers;
  nats: Nats;
  store: Store;
  /** A scheduler in this process, with its own clock. */
  start(options?: { now?: () => number; tasks?: TaskType[]; sweepEveryMs?: number }): Promise<Part>;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the answer holds
  ask<T = any>(verb: string, body: object): Promise<T>;
  refusal(verb: string, body: object): Promise<ErrorBody>;
  doc(id: string): Promise<ScheduleDocument>;
  /** Waits until the document is as wanted. */
  docWhen(what: string, id: string, is: (doc: ScheduleDocument) => boolean): Promise<ScheduleDocument>;
  /** What was published on a subject of CAUGHT, in order. */
  caught(subject: string): Promise<{ subject: string; body: string; msgId: string }[]>;
  /** Bodies of events on a subject. */
  events(subject: string): Promise<Record<string, unknown>[]>;
}

export async function schedulerWorld(): Promise<SchedulerWorld> {
  const servers = await testServers();
  const nats = await connectNats({ url: servers.natsUrl, name: 'test', log });
  const mongo = await connectMongo({
    url: servers.mongoUrl,
    database: servers.mongoDatabase,
    name: 'test',
    log,
  });
  const store = storeOf(mongo.db);
  const schedules = schedulesOf(store.db);
  await keepMade(
    nats,
    async () => {
      for (const shape of streamShapes()) await ensureStream(nats.jsm, shape as never);
      await ensureStream(nats.jsm, { name: CAUGHT, subjects: ['caught.>'] });
    },
    log,
  ).start();

  const ask = <T>(verb: string, body: object) =>
    request<T>(nats.nc, `sms.api.schedule.${verb}`, body, { deadlineMs: 60_000, waitForService: true });

  async function messagesOn(stream: string, subject: string): Promise<JsMsg[]> {
    const consumer = await nats.js.consumers.get(stream, { filter_subjects: subject });
    const found: JsMsg[] = [];
    const info = await nats.jsm.streams.info(stream, { subjects_filter: subject });
    const expected = Object.values(info.state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
    if (expected === 0) return found;
    for await (const message of await consumer.fetch({ max_messages: expected, expires: 10_000 })) {
      found.push(message);
      if (found.length === expected) break;
    }
    return found;
  }

  const doc = async (id: string) => {
    const found = await schedules.findOne({ _id: id });
    if (!found) throw new Error(`there is no schedule ${id}`);
    return found;
  };

  return {
    servers,
    nats,
    store,
    async start({ now, tasks = [], sweepEveryMs } = {}) {
      const part = startScheduler({
        nats,
        store,
        registry: new Registry(),
        log,
        version: '0.0.0',
        config: CONFIG,
        tasks: taskTypes(tasks),
        ...(now && { now }),
        ...(sweepEveryMs !== undefined && { sweepEveryMs }),
      });
      await part.start();
      return part;
    },
    ask,
    async refusal(verb, body) {
      try {
        throw new Error(`${verb} was obeyed: ${JSON.stringify(await ask(verb, body))}`);
      } catch (error) {
        if (error instanceof ServiceError) return error.body as ErrorBody;
        throw error;
      }
    },
    doc,
    docWhen: (what, id, is) =>
      until(
        what,
        async () => {
          const found = await schedules.findOne({ _id: id });
          return found && is(found) ? found : undefined;
        },
        60_000,
      ),
    async caught(subject) {
      const found = await messagesOn(CAUGHT, subject);
      return found.map((message) => ({
        subject: message.subject,
        body: message.string(),
        msgId: message.headers?.get('Nats-Msg-Id') ?? '',
      }));
    },
    events: async (subject) => (await messagesOn(STREAMS.events, subject)).map((message) => message.json()),
    async [Symbol.asyncDispose]() {
      await nats.close();
      await mongo.close();
      await servers.stop();
    },
  };
}
