import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { check } from '../../../contracts/check.ts';
import { type StepFailed, StepTask } from '../../../contracts/steps.ts';
import { commandSubject, deadSubject, STREAMS } from '../../../contracts/subjects.ts';
import { carriedFrom } from '../../../lib/nats/carried-headers.ts';
import { deadHeader } from '../../../lib/nats/dead-letter.ts';
import { readJsonObject } from '../../../lib/nats/json-body.ts';
import type { Publisher } from '../../../lib/nats/publish.ts';
import type { WatcherMetrics } from '../metrics.ts';

/** Streams in which a message that nobody is given any more stays for ever. */
export const WORK_QUEUES = new Set<string>([
  STREAMS.commands,
  STREAMS.steps,
  STREAMS.receipts,
  STREAMS.triggers,
]);

export interface GivenUp {
  stream: string;
  consumer: string;
  message: StoredMsg;
  deliveries: number;
}

/**
 * Moves a message to the dead letters; a task's batch is told that it failed, so that its phase can be retried. Each step is
 * harmless when done twice, and the message goes last.
 */
export async function buryGivenUp(
  deps: { jsm: JetStreamManager; publisher: Publisher; metrics: WatcherMetrics; log: Logger },
  { stream, consumer, message, deliveries }: GivenUp,
): Promise<void> {
  const { jsm, publisher, metrics, log } = deps;
  const { seq, subject, time } = message;
  const reason = `consumer ${consumer} gave it up after ${deliveries} deliveries`;
  const id = `${stream}:${seq}:${time.getTime()}`;
  const buried = await publisher.publish({
    stream: STREAMS.dead,
    subject: deadSubject(stream, subject),
    body: message.data,
    msgId: `dead:${id}`,
    headers: {
      ...carriedFrom(message.header),
      [deadHeader.reason]: reason,
      [deadHeader.stream]: stream,
      [deadHeader.subject]: subject,
      [deadHeader.sequence]: String(seq),
      [deadHeader.deliveries]: String(deliveries),
      [deadHeader.storedAt]: time.toISOString(),
    },
  });
  if (buried.kind !== 'stored' && buried.kind !== 'duplicate') {
    throw new Error(`${subject} could not be stored among the dead letters: ${buried.kind}`);
  }
  const task = stream === STREAMS.steps ? taskOf(message) : undefined;
  if (task) {
    const { batchId, config: _config, requestId: _requestId, ...answered } = task;
    await publisher.publish({
      stream: STREAMS.commands,
      subject: commandSubject(batchId, 'step-failed'),
      msgId: `given-up:${id}`,
      body: {
        ...answered,
        code: 'given-up',
        message: `${task.step}: ${reason}; it lies in ${STREAMS.dead}.`,
      } satisfies StepFailed,
    });
  }
  await jsm.streams.deleteMessage(stream, seq, false).catch((err) => {
    log.debug({ err, stream, seq }, 'a message that was given up has gone meanwhile');
  });
  metrics.givenUp.inc({ stream });
  log.warn({ stream, consumer, subject, seq, deliveries }, 'a message that was given up lies in SMS_DEAD');
}

function taskOf({ data }: StoredMsg): StepTask | undefined {
  const read = readJsonObject(data);
  const checked = read.ok ? check(StepTask, read.body) : undefined;
  return checked?.ok ? checked.value : undefined;
}
