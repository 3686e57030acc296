import type { JsMsg } from '@nats-io/jetstream';
import type { Collection, Filter } from 'mongodb';
import type { Logger } from 'pino';
import { DeadlineError, withTimeout } from '../lifecycle/deadline.ts';
import { isTransient } from '../mongo/errors.ts';
import type { Outcome } from '../nats/outcome.ts';
import { isUnavailable } from '../nats/unavailable.ts';
import { type ActorDocument, type CommandMark, wasDone } from './actor-document.ts';
import type { PublishedMarks } from './published-marks.ts';
import { writeTurn } from './write-turn.ts';

/** What the rules make of one command. `answer` goes to whoever asked for a reply. */
export type TurnDecision<D extends ActorDocument> =
  /** `prepare` runs before the write: it must be harmless when the write is lost (holds, insert-only documents). */
  | { kind: 'write'; next: D; prepare?: (() => Promise<unknown>) | undefined }
  /** Effects without a change of state; `key` makes their message ids. */
  | { kind: 'tell'; effects: D['outbox'] }
  | { kind: 'leave' };

export interface Actor<D extends ActorDocument> {
  collection: Collection<D>;
  /** Reads what the rules need, and applies them. Throws only for faults. */
  decide(doc: D | undefined, message: JsMsg, mark: CommandMark): Promise<TurnDecision<D>>;
  /** Carries out effects, in order, each harmless when done twice; `key` is unique to this outbox. */
  perform(doc: D | undefined, effects: D['outbox'], key: string, message: JsMsg): Promise<void>;
  /** After the turn, done before or not: answers who asked. */
  reply(doc: D | undefined, message: JsMsg, doneBefore: boolean): void;
  actorId(message: JsMsg): string | undefined;
}

export interface TurnDeps {
  marks: PublishedMarks;
  log: Logger;
  /** Stores the message among the dead letters. */
  bury(message: JsMsg, reason: string): Promise<Outcome>;
  /** Someone else wrote between our read and our write: a host that was frozen meanwhile, or slow. */
  onRefused?(): void;
}

/** A turn's time for the store; then the command goes back, and its partition waits. */
const TURN_MS = 4_000;
const AGAIN_MS = 1_000;
const POISON_TRIES = 3;
/** Someone else wrote between our read and our write, this often in a row: let the command come back. */
const LOST_WRITES = 5;

const isInfrastructure = (error: unknown): boolean =>
  error instanceof DeadlineError || isTransient(error) || isUnavailable(error);

/**
 * One turn: load, decide, write, publish, answer, ack. A crash between any two of these is repaired by redelivery;
 * a zombie loses at the write. Infrastructure errors hold the partition; poison is tried three times and buried.
 */
export async function takeTurn<D extends ActorDocument>(
  actor: Actor<D>,
  message: JsMsg,
  { marks, log, bury, onRefused }: TurnDeps,
): Promise<Outcome> {
  const { collection } = actor;
  const id = actor.actorId(message);
  if (id === undefined) return bury(message, `no actor has the subject ${message.subject}`);
  const mark: CommandMark = {
    seq: message.info.streamSequence,
    atMs: Math.floor(message.info.timestampNanos / 1_000_000),
  };

  for (let poisoned = 1; ; poisoned++) {
    try {
      return await withTimeout(once(id), TURN_MS, `the turn of ${message.subject}`);
    } catch (err) {
      const context = { err, batchId: id, subject: message.subject, seq: mark.seq };
      if (isInfrastructure(err)) {
        log.warn(context, 'a server does not answer: the command goes back');
        return { nak: AGAIN_MS };
      }
      log.error(context, 'a command failed');
      if (poisoned === POISON_TRIES) return bury(message, err instanceof Error ? err.message : String(err));
    }
  }

  async function once(actorId: string): Promise<Outcome> {
    for (let lost = 0; lost < LOST_WRITES; lost++) {
      const before = (await collection.findOne({ _id: actorId } as Filter<D>)) as D | null | undefined;
      const doc = before ?? undefined;
      if (doc && wasDone(doc, mark)) {
        await publishOutbox(doc);
        actor.reply(doc, message, true);
        return 'ack';
      }
      // Its effects may never have gone out (the stream was lost): they go before those of this turn.
      if (doc?.unpublished && !marks.has(doc._id, doc.version)) await publishOutbox(doc);
      const decision = await actor.decide(doc, message, mark);
      if (decision.kind === 'leave') {
        actor.reply(doc, message, false);
        return 'ack';
      }
      if (decision.kind === 'tell') {
        await actor.perform(doc, decision.effects, `${actorId}.told.${mark.seq}.${mark.atMs}`, message);
        actor.reply(doc, message, false);
        return 'ack';
      }
      await decision.prepare?.();
      if ((await writeTurn(collection, doc, decision.next, mark)) === 'theirs') {
        onRefused?.();
        continue;
      }
      await publishOutbox(decision.next);
      actor.reply(decision.next, message, false);
      return 'ack';
    }
    return { nak: AGAIN_MS };
  }

  async function publishOutbox(doc: D): Promise<void> {
    await actor.perform(doc, doc.outbox, `${doc._id}.${doc.version}`, message);
    marks.add(doc._id, doc.version);
  }
}
