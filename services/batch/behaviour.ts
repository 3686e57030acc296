import type { JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { CommandReply } from '../../contracts/batch-api.ts';
import { check } from '../../contracts/check.ts';
import { COMMANDS, type Command, isVerb, VERBS } from '../../contracts/commands.ts';
import { type ErrorBody, errorBody } from '../../contracts/errors.ts';
import { isBatchId, lifeId } from '../../contracts/ids.ts';
import { MAX_BODY_BYTES } from '../../contracts/streams.ts';
import { HEADERS, parseCommandSubject } from '../../contracts/subjects.ts';
import type { Actor, TurnDecision } from '../../lib/actor/take-turn.ts';
import { isDuplicateKey } from '../../lib/mongo/errors.ts';
import { readJsonObject } from '../../lib/nats/json-body.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import { holdTasks } from '../../lib/tasks/issue.ts';
import type { Decision } from './decide/decision.ts';
import { decide } from './decide.ts';
import { gather } from './gather.ts';
import type { BatchMetrics } from './metrics.ts';
import { type PerformDeps, perform } from './perform.ts';
import { viewOf } from './view.ts';

export interface BehaviourDeps extends PerformDeps {
  nc: NatsConnection;
  metrics: BatchMetrics;
  log: Logger;
}

/** The batch as an actor: how its commands are read, decided, carried out and answered. */
export function batchActor(deps: BehaviourDeps): Actor<BatchDocument> {
  const { store, nc, metrics, log } = deps;
  /** What the command under way was refused for; read by `reply`, which follows in the same turn. */
  const refusals = new WeakMap<JsMsg, ErrorBody>();
  const created = new WeakMap<JsMsg, BatchDocument>();

  async function decideOn(
    doc: BatchDocument | undefined,
    message: JsMsg,
    mark: { atMs: number },
  ): Promise<TurnDecision<BatchDocument>> {
    const { batchId, verb } = parseCommandSubject(message.subject)!;
    const read = readCommand(batchId, verb, message.data);
    if (!read.ok) return refuse(doc, batchId, verb, read.error, message, mark.atMs);
    const facts = await gather(store, doc, read.command, mark.atMs);
    const decision = decide(doc, batchId, read.command, facts);
    metrics.commands.inc({ verb, result: decision.kind });
    switch (decision.kind) {
      case 'accepted':
        created.set(message, decision.doc);
        return {
          kind: 'write',
          next: { ...decision.doc, outbox: decision.effects },
          prepare: preparation(doc, decision),
        };
      case 'unchanged':
        return { kind: 'leave' };
      case 'dropped':
        log.info({ batchId, verb, why: decision.why }, 'an answer is dropped');
        return { kind: 'leave' };
      case 'told':
        return { kind: 'tell', effects: decision.effects };
      case 'rejected':
        return refuse(doc, batchId, verb, decision.error, message, mark.atMs);
    }
  }

  /** Before the actor's own write: a pause is accepted only when its holds are in place. */
  function preparation(before: BatchDocument | undefined, decision: Decision & { kind: 'accepted' }) {
    const { doc, hold, inline } = decision;
    const work = before?.work;
    if (hold && before && work) {
      return () =>
        holdTasks(store.tasks, {
          batchId: before._id,
          incarnation: before.incarnation,
          step: work.step,
          epoch: before.epoch,
          out: work.out,
        });
    }
    if (!inline) return undefined;
    return async () => {
      try {
        await store.inlineRecipients.insertOne({ _id: lifeId(doc._id, doc.incarnation), recipients: inline });
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
      }
    };
  }

  function refuse(
    doc: BatchDocument | undefined,
    batchId: string,
    verb: string,
    error: ErrorBody,
    message: JsMsg,
    atMs: number,
  ): TurnDecision<BatchDocument> {
    refusals.set(message, error);
    metrics.commands.inc({ verb: isVerb(verb) ? verb : 'unknown', result: 'rejected' });
    log.info({ batchId, verb, code: error.code, errors: error.errors }, 'a command is rejected');
    const requestId = message.headers?.get(HEADERS.requestId) || requestIdOf(message.data);
    return {
      kind: 'tell',
      effects: [
        {
          kind: 'event',
          event: 'command-rejected',
          body: {
            batchId,
            ...(doc && { incarnation: doc.incarnation, version: doc.version }),
            verb,
            error,
            at: new Date(atMs).toISOString(),
            ...(requestId && { requestId }),
          },
        },
      ],
    };
  }

  function reply(doc: BatchDocument | undefined, message: JsMsg): void {
    const replyTo = message.headers?.get(HEADERS.replyTo);
    if (!replyTo) return;
    const error = refusals.get(message);
    const known = doc ?? created.get(message);
    const answer: CommandReply = error
      ? { ok: false, error }
      : known
        ? { ok: true, batch: viewOf(known) }
        : { ok: false, error: errorBody('not-found', 'There is no such batch.') };
    nc.publish(replyTo, JSON.stringify(answer));
  }

  return {
    collection: store.batches,
    actorId: (message) => parseCommandSubject(message.subject)?.batchId,
    decide: decideOn,
    perform: (doc, effects, key, message) => perform(deps, doc, effects, key, message),
    reply,
  };
}

type ReadCommand = { ok: true; command: Command } | { ok: false; error: ErrorBody };

export function readCommand(batchId: string, verb: string, data: Uint8Array): ReadCommand {
  const no = (...args: Parameters<typeof errorBody>): ReadCommand => ({
    ok: false,
    error: errorBody(...args),
  });
  if (!isBatchId(batchId)) {
    return no('invalid-batch-id', 'The batch ID is not valid.', [
      { field: 'batchId', value: batchId, expected: '1 to 64 of A-Z, a-z, 0-9, _ and -' },
    ]);
  }
  if (!isVerb(verb)) {
    return no('unknown-verb', `There is no command ${verb}.`, [
      { field: 'verb', value: verb, expected: `one of ${VERBS.join(', ')}` },
    ]);
  }
  const read = readJsonObject(data);
  if (!read.ok) return read;
  const checked = check(COMMANDS[verb], read.body);
  if (!checked.ok) return no('invalid-body', 'The body does not fit its schema.', checked.errors);
  return { ok: true, command: { verb, body: checked.value } as Command };
}

function requestIdOf(data: Uint8Array): string | undefined {
  try {
    const { requestId } = JSON.parse(Buffer.from(data.subarray(0, MAX_BODY_BYTES)).toString('utf8'));
    return typeof requestId === 'string' ? requestId.slice(0, 128) : undefined;
  } catch {
    return undefined;
  }
}
