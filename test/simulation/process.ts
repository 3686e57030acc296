import type { JsMsg } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import type { Nats } from '../../lib/nats/connect.ts';
import { type Outcome, settle } from '../../lib/nats/outcome.ts';
import { type Publisher, publisher } from '../../lib/nats/publish.ts';
import { type Store, storeOf } from '../../lib/store/collections.ts';
import type { Consumer, Delivered } from './bus.ts';
import { databaseOf } from './store.ts';
import type { Host, Timeline } from './timeline.ts';
import type { World } from './world.ts';

/** What the code of one process works with: the product's own, on the simulated servers. */
export interface Process {
  world: World;
  host: Host;
  nats: Nats;
  store: Store;
  publisher: Publisher;
  log: Logger;
}

export function processOf(world: World, host: Host): Process {
  const nats = world.bus.connect(host);
  return {
    world,
    host,
    nats,
    store: storeOf(databaseOf(world.store, world.wire, host)),
    publisher: publisher(nats),
    log: logOf(world.timeline, host),
  };
}

/** Only what a person would be woken for. */
function logOf(timeline: Timeline, host: Host): Logger {
  const nothing = () => {};
  const log = {
    trace: nothing,
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: (context: { err?: Error }, text: string) =>
      timeline.note(
        `${host.name} logs an error: ${text}: ${context.err?.message ?? JSON.stringify(context)}`,
      ),
    child: () => log,
  };
  return log as unknown as Logger;
}

/** Figures are for people: nothing decides on them. */
export const noMetrics = <T>(): T => {
  const metric = {
    inc: () => {},
    dec: () => {},
    set: () => {},
    observe: () => {},
    startTimer: () => () => {},
  };
  return new Proxy({}, { get: () => metric }) as T;
};

/** Takes messages as a pull loop does: each is settled by what its handler answers. */
export function consume(
  { world, host }: Process,
  consumer: Consumer,
  options: {
    room: number;
    handle: (message: JsMsg) => Promise<Outcome>;
    onError?: (error: unknown, message: JsMsg) => Outcome;
  },
): void {
  const { room, handle, onError = () => ({ nak: 1_000 }) } = options;
  const take = async (delivered: Delivered): Promise<void> => {
    const message = delivered as unknown as JsMsg;
    let outcome: Outcome;
    try {
      outcome = await handle(message);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      outcome = onError(error, message);
    }
    if (outcome === 'ack' || (typeof outcome === 'object' && 'term' in outcome))
      world.handled.add(delivered.stored);
    settle(message, outcome);
    delivered.handled();
  };
  world.bus.subscribe(consumer, { host, room, take: (delivered) => void take(delivered) });
}

/** Rounds of work that a process does beside, for as long as it lives; one that fails is tried again. */
export function everyMs({ log }: Process, name: string, ms: number, round: () => Promise<unknown>): void {
  const next = () => setTimeout(() => void again(), ms);
  const again = async () => {
    try {
      await round();
    } catch (err) {
      log.info({ err }, `${name} failed`);
    }
    next();
  };
  next();
}
