import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { EventBody } from '../../contracts/events.ts';
import { openOf } from '../../contracts/outcomes.ts';
import { isFinal } from '../../contracts/states.ts';
import { eventSubject, parseEventSubject, STREAMS } from '../../contracts/subjects.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';

/** What SMS_EVENTS has kept of the ends of batches, and of the answers to commands. */
export interface KeptEvents {
  /** How often the end of a batch stands there. */
  ends: Map<string, number>;
  /** Batches that have succeeded with recipients whose outcome was open. */
  endedOpen: string[];
  /** Of commands that were obeyed or refused. */
  requestIds: Set<string>;
}

const AT_A_TIME = 500;

export async function readEvents(nc: NatsConnection): Promise<KeptEvents> {
  const kept: KeptEvents = { ends: new Map(), endedOpen: [], requestIds: new Set() };
  const consumer = await jetstream(nc).consumers.get(STREAMS.events, {
    filter_subjects: ['ended', 'updated', 'command-rejected'].map((event) => eventSubject('*', event)),
  });
  for (let left = (await consumer.info()).num_pending; left > 0; ) {
    const batch = await consumer.fetch({ max_messages: Math.min(left, AT_A_TIME), expires: 10_000 });
    for await (const message of batch) {
      left -= 1;
      const { batchId, event } = parseEventSubject(message.subject)!;
      const { requestId } = message.json<{ requestId?: string }>();
      if (requestId !== undefined) kept.requestIds.add(requestId);
      if (event !== 'ended') continue;
      kept.ends.set(batchId, (kept.ends.get(batchId) ?? 0) + 1);
      const { state, counts } = message.json<EventBody<'ended'>>();
      if (state === 'Succeeded' && openOf(counts) > 0) kept.endedOpen.push(batchId);
    }
  }
  return kept;
}

/**
 * How often the end of each batch stands there.
 * @param lostAtMs before it, the stream may have forgotten what was in it
 */
export function checkEnds(
  { ends }: KeptEvents,
  batches: readonly BatchDocument[],
  lostAtMs: number,
): { endedTwice: string[]; endedNever: string[] } {
  const timesOf = ({ _id }: BatchDocument): number => ends.get(_id) ?? 0;
  return {
    endedTwice: batches.filter((batch) => timesOf(batch) > 1).map(({ _id }) => _id),
    endedNever: batches
      .filter((batch) => isFinal(batch.state) && (batch.endedAt ?? 0) > lostAtMs && timesOf(batch) === 0)
      .map(({ _id }) => _id),
  };
}

/** Commands that the server has stored, and of which no event tells: neither obeyed nor refused. */
export const checkRaws = (
  { requestIds }: KeptEvents,
  raws: readonly { requestId: string; batchId: string; storedAtMs: number }[],
  lostAtMs: number,
): string[] =>
  raws
    .filter(({ requestId, storedAtMs }) => storedAtMs > lostAtMs && !requestIds.has(requestId))
    .map(
      ({ requestId, batchId, storedAtMs }) =>
        `${requestId} to ${batchId} at ${new Date(storedAtMs).toISOString()}`,
    );

/** Poison that was neither answered by an event nor lies among the dead letters. */
export async function checkPoison(
  nc: NatsConnection,
  poison: readonly { id: string; atMs: number }[],
  lostAtMs: number,
): Promise<string[]> {
  const jsm = await jetstreamManager(nc);
  const rejected = await jsm.streams.info(STREAMS.events, {
    subjects_filter: eventSubject('*', 'command-rejected'),
  });
  const dead = await jsm.streams.info(STREAMS.dead, { subjects_filter: 'sms.dead.>' });
  const subjects = [...Object.keys(rejected.state.subjects ?? {}), ...Object.keys(dead.state.subjects ?? {})];
  return poison
    .filter(({ id, atMs }) => atMs > lostAtMs && !subjects.some((subject) => subject.includes(`.${id}.`)))
    .map(({ id }) => id);
}
