import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { isFinal } from '../../contracts/states.ts';
import { eventSubject, STREAMS } from '../../contracts/subjects.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';

/** How often the end of each batch stands in SMS_EVENTS. */
export async function checkEnds(
  nc: NatsConnection,
  batches: readonly BatchDocument[],
  /** Before it, the stream may have forgotten what was in it. */
  lostAtMs: number,
): Promise<{ endedTwice: string[]; endedNever: string[] }> {
  const jsm = await jetstreamManager(nc);
  const { state } = await jsm.streams.info(STREAMS.events, { subjects_filter: eventSubject('*', 'ended') });
  const counts = state.subjects ?? {};
  const timesOf = ({ _id }: BatchDocument): number => counts[eventSubject(_id, 'ended')] ?? 0;
  return {
    endedTwice: batches.filter((batch) => timesOf(batch) > 1).map(({ _id }) => _id),
    endedNever: batches
      .filter((batch) => isFinal(batch.state) && (batch.endedAt ?? 0) > lostAtMs && timesOf(batch) === 0)
      .map(({ _id }) => _id),
  };
}

/** Poison that was neither answered by an event nor lies among the dead letters. */
export async function checkPoison(
  nc: NatsConnection,
  poison: readonly { id: string; atMs: number }[],
  lostAtMs: number,
): Promise<string[]> {
  const jsm = await jetstreamManager(nc);
  const rejected = await jsm.streams.info(STREAMS.events, { subjects_filter: 'sms.evt.*.command-rejected' });
  const dead = await jsm.streams.info(STREAMS.dead, { subjects_filter: 'sms.dead.>' });
  const subjects = [...Object.keys(rejected.state.subjects ?? {}), ...Object.keys(dead.state.subjects ?? {})];
  return poison
    .filter(({ id, atMs }) => atMs > lostAtMs && !subjects.some((subject) => subject.includes(`.${id}.`)))
    .map(({ id }) => id);
}
