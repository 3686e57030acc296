import {
  type ConsumerConfig,
  type ConsumerInfo,
  JetStreamApiError,
  type JetStreamManager,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';
import { ConfigMismatchError, differences } from './config-difference.ts';
import { retryUnavailable } from './unavailable.ts';

export type WantedStream = Partial<StreamConfig> & { name: string; subjects: string[] };
export type WantedConsumer = Partial<ConsumerConfig> & { durable_name: string };

const consumerExists = 10148;
const consumerNameInUse = 10013;
const consumerNotFound = 10014;
const streamNameInUse = 10058;
const streamNotFound = 10059;
const subjectsOverlap = 10065;

/** What would lose, hold back or rewrite messages if somebody had set it and we had not asked for it. */
const streamMustBeUnset = {
  max_age: 0,
  max_msgs: -1,
  max_bytes: -1,
  max_msgs_per_subject: -1,
  max_msg_size: -1,
  max_consumers: -1,
  discard_new_per_subject: false,
  no_ack: false,
  sealed: false,
  mirror: null,
  sources: [],
  subject_transform: null,
  consumer_limits: {},
};

const consumerMustBeUnset = {
  filter_subject: '',
  filter_subjects: [],
  max_deliver: -1,
  backoff: [],
  headers_only: false,
  inactive_threshold: 0,
  priority_groups: [],
};

/**
 * The stream as wanted: created if absent, left alone if it fits. Hosts that do this at the same moment agree.
 * @throws ConfigMismatchError for one that exists and differs.
 */
export async function ensureStream(jsm: JetStreamManager, wanted: WantedStream): Promise<StreamInfo> {
  const { name } = wanted;
  const found = await retryUnavailable(
    `stream ${name}`,
    async () =>
      (await unless(streamNotFound, () => jsm.streams.info(name))) ??
      // Another host may have created it meanwhile: then what it made is compared like any other.
      (await unless(streamNameInUse, () => jsm.streams.add(wanted))) ??
      (await jsm.streams.info(name)),
  ).catch(async (error) => {
    throw await explainOverlap(jsm, wanted, error);
  });
  refuse(`Stream ${name}`, found.config, wanted, streamMustBeUnset);
  return found;
}

/**
 * The durable consumer as wanted, like ensureStream.
 * @throws ConfigMismatchError for one that exists and differs.
 */
export async function ensureConsumer(
  jsm: JetStreamManager,
  stream: string,
  wanted: WantedConsumer,
): Promise<ConsumerInfo> {
  const name = wanted.durable_name;
  const found = await retryUnavailable(
    `consumer ${name} of ${stream}`,
    async () =>
      (await unless(consumerNotFound, () => jsm.consumers.info(stream, name))) ??
      (await unless([consumerExists, consumerNameInUse], () => jsm.consumers.add(stream, wanted))) ??
      (await jsm.consumers.info(stream, name)),
  );
  refuse(`Consumer ${name} of stream ${stream}`, found.config, wanted, consumerMustBeUnset);
  return found;
}

function refuse(asset: string, has: object, wanted: object, mustBeUnset: object): void {
  const found = differences(has as never, wanted as never, mustBeUnset as never);
  if (found.length > 0) throw new ConfigMismatchError(asset, found);
}

async function unless<T>(codes: number | number[], call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof JetStreamApiError && [codes].flat().includes(error.code)) return undefined;
    throw error;
  }
}

/** The server says that subjects overlap, not whose they are. */
async function explainOverlap(jsm: JetStreamManager, wanted: WantedStream, error: unknown): Promise<unknown> {
  if (!(error instanceof JetStreamApiError) || error.code !== subjectsOverlap) return error;
  const owners = new Map<string, string[]>();
  for (const subject of wanted.subjects) {
    for await (const name of jsm.streams.names(subject))
      owners.set(name, [...(owners.get(name) ?? []), subject]);
  }
  const list = [...owners].map(([name, subjects]) => `${subjects.join(', ')} of stream ${name}`);
  return new Error(`Stream ${wanted.name} cannot be created: its subjects overlap ${list.join('; ')}`, {
    cause: error,
  });
}
