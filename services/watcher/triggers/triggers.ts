import type { JsMsg } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { triggerConsumerShape } from '../../../contracts/streams.ts';
import {
  commandSubject,
  deadSubject,
  HEADERS,
  parseTriggerSubject,
  STREAMS,
} from '../../../contracts/subjects.ts';
import type { CommandClient } from '../../../lib/batch/command-client.ts';
import { backoffMs } from '../../../lib/lifecycle/backoff.ts';
import { type Part, part } from '../../../lib/lifecycle/part.ts';
import { isTransient } from '../../../lib/mongo/errors.ts';
import { carriedFrom } from '../../../lib/nats/carried-headers.ts';
import type { Nats } from '../../../lib/nats/connect.ts';
import { deadLetter } from '../../../lib/nats/dead-letter.ts';
import { readJsonObject } from '../../../lib/nats/json-body.ts';
import type { Outcome } from '../../../lib/nats/outcome.ts';
import type { Publisher } from '../../../lib/nats/publish.ts';
import { pullLoop } from '../../../lib/nats/pull-loop.ts';
import { ensureConsumer } from '../../../lib/nats/streams.ts';
import { isUnavailable } from '../../../lib/nats/unavailable.ts';
import type { Store } from '../../../lib/store/collections.ts';
import type { WatcherMetrics } from '../metrics.ts';
import { decideTrigger, type TriggeredCommand } from '../pure/decide-trigger.ts';
import type { Trigger } from '../pure/map-payload.ts';
import { rulesFor } from './rules.ts';

export interface TriggersDeps {
  nats: Nats;
  store: Pick<Store, 'rules'>;
  publisher: Publisher;
  commands: CommandClient;
  metrics: WatcherMetrics;
  log: Logger;
}

/** Longer than a turn takes; while no actor works the command waits in its stream, and the next trigger has its turn. */
const REPLY_MS = 3_000;
/** A fault of ours: tried this often, then the event lies among the dead letters. */
const POISON_TRIES = 3;
const BACKOFF = { firstMs: 500, capMs: 10_000 };

/**
 * Makes events of other programs into commands, one after the other. What makes none, and what the actor refuses, goes to
 * the dead letters with the reason. An event that comes twice is one command: its message id is made of the event's.
 */
export function triggers(deps: TriggersDeps): Part {
  const { nats, store, publisher, commands, metrics, log } = deps;
  const { stream, ...consumer } = triggerConsumerShape();
  const ensure = () => ensureConsumer(nats.jsm, stream, consumer);
  return part('triggers', async ({ run }) => {
    await ensure();
    await run(
      pullLoop({ nats, stream, consumer: consumer.durable_name, log, ensure, handle, onError: whatNow }),
    );
  });

  async function handle(message: JsMsg): Promise<Outcome> {
    const source = parseTriggerSubject(message.subject);
    const read = readJsonObject(message.data);
    if (!read.ok) return bury(message, read.error.message);
    const trigger: Trigger = {
      source,
      sequence: message.seq,
      at: new Date(message.info.timestampNanos / 1_000_000).toISOString(),
      event: read.body,
    };
    const decision = decideTrigger(await rulesFor(store.rules, source), trigger);
    if (decision.kind === 'refused') return bury(message, decision.reason);
    const refusals: string[] = [];
    for (const command of decision.commands) {
      const refusal = await send(command, message);
      if (refusal === 'full') return { nak: 1_000 };
      if (refusal !== undefined) refusals.push(refusal);
    }
    if (refusals.length > 0) return bury(message, refusals.join('; '));
    metrics.triggers.inc({ result: 'obeyed' });
    return 'ack';
  }

  /** @returns what the actor refused it for */
  async function send(command: TriggeredCommand, message: JsMsg): Promise<string | 'full' | undefined> {
    const { rule, batchId, verb, body } = command;
    const requestId = message.headers?.get(HEADERS.requestId) || undefined;
    const heard = await commands.publishAndHear(
      {
        subject: commandSubject(batchId, verb),
        stream: STREAMS.commands,
        msgId: `trigger:${rule}:${message.seq}:${message.info.timestampNanos}`,
        body: { ...(requestId !== undefined && { requestId: requestId.slice(0, 128) }), ...body },
        headers: carriedFrom(message.headers),
      },
      REPLY_MS,
    );
    log.info({ rule, batchId, verb, seq: message.seq, heard: heard.kind }, 'a trigger became a command');
    if (heard.kind === 'full') return 'full';
    if (heard.kind === 'stored' || heard.reply.ok) return undefined;
    const { code, message: why, errors } = heard.reply.error;
    const fields = errors.slice(0, 5).map(({ field, expected }) => `${field}: expected ${expected}`);
    return [`rule ${rule}: ${verb} of ${batchId} was refused: ${code}: ${why}`, ...fields].join(' ');
  }

  function bury(message: JsMsg, reason: string): Promise<Outcome> {
    metrics.triggers.inc({ result: 'refused' });
    log.info({ subject: message.subject, seq: message.seq, reason }, 'a trigger is refused');
    return deadLetter(publisher, message, {
      stream: STREAMS.dead,
      subject: deadSubject(stream, message.subject),
      reason,
    });
  }

  function whatNow(error: unknown, message: JsMsg): Outcome | Promise<Outcome> {
    const { deliveryCount } = message.info;
    const again = { nak: Math.round(backoffMs(deliveryCount, BACKOFF)) };
    const ours = !isTransient(error) && !isUnavailable(error);
    if (!ours || deliveryCount < POISON_TRIES) return again;
    return bury(message, error instanceof Error ? error.message : String(error)).catch(() => again);
  }
}
