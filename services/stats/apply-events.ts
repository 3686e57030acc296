import type { JsMsg } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { check } from '../../contracts/check.ts';
import { EVENTS, type EventBody } from '../../contracts/events.ts';
import type { BatchEvent } from '../../contracts/states.ts';
import { parseEventSubject } from '../../contracts/subjects.ts';
import type { Outcome } from '../../lib/nats/outcome.ts';
import type { RedisView } from '../../lib/redis/connect.ts';
import { dropStats, fieldOf, forgetStats, type StatsUpdate, takeStats } from '../../lib/stats/hash.ts';

const KIND_OF_EVENT = {
  progress: 'progress',
  'task-progress': 'task',
  recounted: 'recount',
  ended: 'ended',
} as const;
type MirroredEvent = keyof typeof KIND_OF_EVENT;

const isMirrored = (event: string): event is MirroredEvent => Object.hasOwn(KIND_OF_EVENT, event);

const AGAIN_MS = 1_000;

const RESTORE: BatchEvent = 'Restore';

export interface ApplyOptions {
  redis: RedisView;
  log: Logger;
  bury: (message: JsMsg, reason: string) => Promise<Outcome>;
  /** Its hash was empty before: what came earlier has to be read from MongoDB. */
  onFirst: (batchId: string) => void;
  onTaken: (results: { taken: number; refused: number }) => void;
}

/** What a message changes in Redis; undefined: nothing. */
type Read =
  | { kind: 'update'; update: StatsUpdate }
  | { kind: 'deleted'; batchId: string; incarnation?: string }
  /** What Redis knows may be of a time that MongoDB has forgotten. */
  | { kind: 'restored'; body: EventBody<'state-changed'> }
  | { kind: 'nothing' }
  | { kind: 'poison'; reason: string };

function read(message: JsMsg): Read {
  const subject = parseEventSubject(message.subject);
  if (!subject) return { kind: 'nothing' };
  const { event } = subject;
  if (event !== 'deleted' && event !== 'state-changed' && !isMirrored(event)) return { kind: 'nothing' };
  let body: unknown;
  try {
    body = message.json();
  } catch (error) {
    return { kind: 'poison', reason: `the body is not JSON: ${(error as Error).message}` };
  }
  const checked = check(EVENTS[event], body);
  if (!checked.ok) {
    const findings = checked.errors
      .slice(0, 5)
      .map(({ field, expected }) => `${field}: expected ${expected}`);
    return { kind: 'poison', reason: `the body does not fit its schema: ${findings.join('; ')}` };
  }
  if (event === 'deleted') return { kind: 'deleted', ...checked.value };
  if (event === 'state-changed') {
    const changed = checked.value as EventBody<'state-changed'>;
    return changed.event === RESTORE ? { kind: 'restored', body: changed } : { kind: 'nothing' };
  }
  return { kind: 'update', update: { kind: KIND_OF_EVENT[event], body: checked.value } as StatsUpdate };
}

/**
 * Mirrors a group of events into Redis. Values are absolute and versioned, so of several for one field only the highest is
 * sent. While Redis is away the events wait in the stream.
 */
export async function applyEvents(
  { redis, log, bury, onFirst, onTaken }: ApplyOptions,
  messages: readonly JsMsg[],
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const newest = new Map<string, StatsUpdate>();
  const deleted: { batchId: string; incarnation?: string }[] = [];
  const restored: EventBody<'state-changed'>[] = [];
  for (const message of messages) {
    const found = read(message);
    outcomes.push(found.kind === 'poison' ? await bury(message, found.reason) : 'ack');
    if (found.kind === 'deleted') deleted.push(found);
    if (found.kind === 'restored') restored.push(found.body);
    if (found.kind === 'update') keepNewest(newest, found.update);
  }
  try {
    for (const body of restored) if (await forgetStats(redis.redis, body)) onFirst(body.batchId);
    const results = await Promise.all([...newest.values()].map((update) => take(redis, update)));
    for (const { batchId, incarnation } of deleted) await dropStats(redis.redis, batchId, incarnation);
    const first = results.filter(({ result }) => result === 'first').map(({ batchId }) => batchId);
    for (const batchId of new Set(first)) onFirst(batchId);
    const refused = results.filter(({ result }) => result === 'refused').length;
    onTaken({ taken: results.length - refused, refused });
    return outcomes;
  } catch (err) {
    log.debug({ err, messages: messages.length }, 'Redis is away: the events wait');
    return outcomes.map((outcome) => (outcome === 'ack' ? { nak: AGAIN_MS } : outcome));
  }
}

async function take({ redis }: RedisView, update: StatsUpdate) {
  return { batchId: update.body.batchId, result: await takeStats(redis, update) };
}

function keepNewest(newest: Map<string, StatsUpdate>, update: StatsUpdate): void {
  const { batchId, incarnation, version } = update.body;
  const key = `${batchId} ${incarnation} ${fieldOf(update)}`;
  const known = newest.get(key);
  if (!known || known.body.version < version) newest.set(key, update);
}
