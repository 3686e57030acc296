import type { ConsumerInfo, JetStreamManager, MsgRequest, StoredMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { STREAMS } from '../../../contracts/subjects.ts';
import { loop } from '../../../lib/lifecycle/loop.ts';
import { type Part, part } from '../../../lib/lifecycle/part.ts';
import type { Publisher } from '../../../lib/nats/publish.ts';
import type { WatcherMetrics } from '../metrics.ts';
import { buryGivenUp, WORK_QUEUES } from './bury-given-up.ts';

export interface GivenUpDeps {
  nc: NatsConnection;
  jsm: JetStreamManager;
  publisher: Publisher;
  metrics: WatcherMetrics;
  log: Logger;
  /** How often it is looked for what no advisory told. */
  everyMs: number;
}

const ADVISORIES = '$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES';
/** Watchers share them out. */
const QUEUE = 'smsbatch-watcher';

interface Advisory {
  stream: string;
  consumer: string;
  stream_seq: number;
  deliveries: number;
}

/**
 * What the server gave up on: a consumer with a limit of deliveries (ours have none; programs that serve custom steps bring
 * their own) leaves its message in the stream, where nobody would ever see it again. An advisory tells at once; it is
 * lost where no watcher listens, so that the consumers are looked at, too.
 */
export function givenUp(deps: GivenUpDeps): Part {
  const { nc, jsm, metrics, log, everyMs } = deps;
  return part('given up', async ({ signal, defer }) => {
    const subscription = nc.subscribe(`${ADVISORIES}.>`, {
      queue: QUEUE,
      callback: (error, message) => {
        if (!error) void onAdvisory(message.json<Advisory>());
      },
    });
    defer(() => subscription.unsubscribe());
    await nc.flush();
    const running = loop('given up', () => lookAtConsumers(), signal, { log, pauseMs: everyMs });
    defer(() => running);
  });

  async function onAdvisory({ stream, consumer, stream_seq, deliveries }: Advisory): Promise<void> {
    if (!WORK_QUEUES.has(stream)) return;
    try {
      const message = await jsm.streams.getMessage(stream, { seq: stream_seq });
      if (message) await buryGivenUp(deps, { stream, consumer, message, deliveries });
    } catch (err) {
      log.warn(
        { err, stream, consumer, seq: stream_seq },
        'an advisory could not be followed: the sweep will',
      );
    }
  }

  async function lookAtConsumers(): Promise<void> {
    for (const stream of WORK_QUEUES) {
      for await (const info of jsm.consumers.list(stream)) {
        if ((info.config.max_deliver ?? -1) > 0) await lookAt(info);
      }
    }
    metrics.deadLetters.set((await jsm.streams.info(STREAMS.dead)).state.messages);
  }

  /** Only where nothing is in flight it is certain that what was delivered and is still there was given up. */
  async function lookAt(info: ConsumerInfo): Promise<void> {
    const { stream_name: stream, name: consumer } = info;
    if (info.num_ack_pending > 0) return;
    const left: StoredMsg[] = [];
    for (let seq = info.ack_floor.stream_seq + 1; left.length < A_LOOK; ) {
      const next_by_subj = info.config.filter_subject ?? info.config.filter_subjects?.[0] ?? '>';
      // The client's type leaves it out; the server knows it for every read.
      const request = { seq, next_by_subj } as unknown as MsgRequest;
      const message = await jsm.streams.getMessage(stream, request);
      if (!message || message.seq > info.delivered.stream_seq) break;
      left.push(message);
      seq = message.seq + 1;
    }
    if (left.length === 0) return;
    const after = await jsm.consumers.info(stream, consumer);
    if (after.num_ack_pending > 0 || after.delivered.consumer_seq !== info.delivered.consumer_seq) return;
    for (const message of left) {
      await buryGivenUp(deps, { stream, consumer, message, deliveries: info.config.max_deliver! });
    }
  }
}

const A_LOOK = 100;
