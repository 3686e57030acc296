import type { JetStreamManager } from '@nats-io/jetstream';
import { ulid } from 'ulid';
import { dueSubject, STREAMS, timerSubject } from '../../contracts/subjects.ts';
import type { Publisher } from '../nats/publish.ts';
import { retryUnavailable } from '../nats/unavailable.ts';

/** When the server is to move the message, and what is in it. An instant that has passed fires at once. */
export interface Timer {
  atMs: number;
  body: object;
}

export interface TimerDeps {
  jsm: JetStreamManager;
  publisher: Publisher;
}

/** Someone else changes the same timer, this often in a row: the sweep looks again. */
const LOST_RACES = 5;

/**
 * Brings the timer of a key in step with what is wanted: armed once, or gone. The sequence on its subject is read before
 * what is wanted, and the publish expects it: of two who change the same schedule, the one with the older document cannot
 * have the last word.
 * @param wanted reads what is to be armed from the system of record; undefined: nothing
 */
export async function bringInStep(
  { jsm, publisher }: TimerDeps,
  key: string,
  wanted: () => Promise<Timer | undefined>,
): Promise<void> {
  const subject = timerSubject(key);
  for (let lost = 0; lost < LOST_RACES; lost++) {
    const last = await lastOn(jsm, subject);
    const timer = await wanted();
    if (!timer) {
      if (last) await disarm(jsm, subject, last.seq);
      return;
    }
    if (last && last.body === JSON.stringify(timer.body)) return;
    if (await arm(publisher, key, timer, last?.seq ?? 0)) return;
  }
}

/**
 * Publishes a timer where `expectedSeq` is the last message on its subject (0: there is none).
 * @returns false when there is another
 */
export async function arm(
  publisher: Publisher,
  key: string,
  { atMs, body }: Timer,
  expectedSeq = 0,
): Promise<boolean> {
  const result = await publisher.publish({
    subject: timerSubject(key),
    stream: STREAMS.schedules,
    // A new one for each arming: a timer under an id used lately would be dropped as a duplicate.
    msgId: `${timerSubject(key)}:${ulid()}`,
    body,
    expectedLastSubjectSequence: expectedSeq,
    schedule: { specification: new Date(atMs), target: dueSubject(key) },
  });
  return result.kind !== 'conflict';
}

/** Whether the server holds the timer of a key, or what has become of it is still to be handled. */
export async function isArmed(jsm: JetStreamManager, key: string): Promise<boolean> {
  return (
    (await lastOn(jsm, timerSubject(key))) !== undefined || (await lastOn(jsm, dueSubject(key))) !== undefined
  );
}

/** Up to this sequence: what somebody has armed since stays. */
async function disarm(jsm: JetStreamManager, subject: string, seq: number): Promise<void> {
  await retryUnavailable(`disarming ${subject}`, () =>
    jsm.streams.purge(STREAMS.schedules, { filter: subject, seq: seq + 1 }),
  );
}

/** Asked of the leader: a replica may be seconds behind. */
async function lastOn(
  jsm: JetStreamManager,
  subject: string,
): Promise<{ seq: number; body: string } | undefined> {
  const last = await retryUnavailable(`reading ${subject}`, () =>
    jsm.streams.getMessage(STREAMS.schedules, { last_by_subj: subject }),
  );
  return last ? { seq: last.seq, body: last.string() } : undefined;
}
