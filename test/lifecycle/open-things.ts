import type { Socket } from 'node:net';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Surroundings } from '../../lib/service/component.ts';

type Counts = Record<string, number>;

/** What of a client's insides nobody offers to count: subscriptions, and iterators over its status. */
interface NatsInsides {
  protocol: { subscriptions: { subs: Map<number, unknown>; mux: unknown }; listeners: unknown[] };
}

interface Emitter {
  eventNames(): (string | symbol)[];
  listenerCount(event: string | symbol): number;
}

const listenersOf = (name: string, emitter: Emitter): [string, number][] =>
  emitter
    .eventNames()
    .map((event) => [`${name}: listeners to ${String(event)}`, emitter.listenerCount(event)]);

/** Subscriptions and listeners on the connections that a part shares with others. */
export function openOn({ nats, redis, mongo }: Pick<Surroundings, 'nats' | 'redis' | 'mongo'>): Counts {
  const { subscriptions, listeners } = (nats.nc as NatsConnection & NatsInsides).protocol;
  // That on which every request is answered stays from the first one on.
  const own = [...subscriptions.subs.values()].filter((each) => each !== subscriptions.mux);
  return Object.fromEntries([
    ['NATS subscriptions', own.length],
    ['NATS status iterators', listeners.length],
    ...listenersOf('redis', redis.redis),
    ...listenersOf('mongo', mongo.client),
  ]);
}

/** Timers, sockets, servers and listeners of the whole process. */
export function openInProcess(): Counts {
  const resources = process
    .getActiveResourcesInfo()
    .filter((type) => ['Timeout', 'TCPServerWrap', 'FSEventWrap', 'ProcessWrap'].includes(type));
  const counts: Counts = {};
  const count = (what: string) => {
    counts[what] = (counts[what] ?? 0) + 1;
  };
  for (const type of resources) count(type);
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): object[] };
  for (const handle of handles.call(process)) {
    const { remotePort, bytesWritten } = handle as Partial<Socket>;
    // A dial that the NATS client gives up after its time-out leaves a socket on which it has written nothing; the server
    // closes it. Only a machine that stands still for seconds sees one.
    if (remotePort !== undefined && bytesWritten !== 0) count(`socket to ${remotePort}`);
  }
  return { ...counts, ...Object.fromEntries(listenersOf('process', process)) };
}

/** What there is more of than before; nothing when all is well. */
export function left(before: Counts, now: Counts): string[] {
  return Object.entries(now)
    .filter(([what, count]) => count > (before[what] ?? 0))
    .map(([what, count]) => `${what}: ${before[what] ?? 0} → ${count}`);
}
