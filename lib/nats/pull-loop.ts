import type { Consumer, JsMsg } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { loop } from '../lifecycle/loop.ts';
import { type Part, part } from '../lifecycle/part.ts';
import type { Nats } from './connect.ts';
import { keepAlive } from './keep-alive.ts';
import { nextMessage, PULL_MS } from './open-pull.ts';
import { type Outcome, settle } from './outcome.ts';

export interface PullSource {
  nats: Pick<Nats, 'js' | 'refuseWhileAway'>;
  stream: string;
  consumer: string;
  log: Logger;
  /** Creates the consumer (and its stream) again where it has gone; without it the loop waits for somebody to. */
  ensure?: (() => Promise<unknown>) | undefined;
  /** The longest that stop waits for an idle pull; the server's floor is 1 s. Default: PULL_MS, and no longer than that. */
  expiresMs?: number;
}

export interface PullLoopOptions extends PullSource {
  /** `stopping` aborts when the loop is told to stop; the handler is waited for all the same. */
  handle: (message: JsMsg, stopping: AbortSignal) => Promise<Outcome>;
  /** Loops beside one another; each has one message at a time. */
  concurrency?: number;
  /** What becomes of a message whose handler throws. Default: again in 1 s. */
  onError?: (error: unknown, message: JsMsg) => Outcome | Promise<Outcome>;
  keepAliveEveryMs?: number;
  /** After this long the message is given up to another host, even if the handler still runs. */
  keepAliveMaxMs?: number;
}

export interface PullLoop extends Part {
  /** For readiness: why no pull works at the moment, or undefined. */
  failing(): string | undefined;
}

/** The server's floor. */
const SHORTEST_PULL_MS = 1_000;

/**
 * Pulls stand in line at the server. Those of one process, renewed at the same time, stand side by side: the first in line
 * would get all tasks of a batch while its neighbour idles. Pulls of unequal length mix.
 */
const between = (fromMs: number, toMs: number): number => {
  const least = Math.max(fromMs, Math.min(SHORTEST_PULL_MS, toMs));
  return Math.round(least + Math.random() * Math.max(0, toMs - least));
};

/**
 * Pulls one message at a time and settles it by what the handler answers. Stop strands nothing: it waits for the open pull
 * (at most `expiresMs`) and for the handler, so that no message is left delivered to nobody.
 */
export function pullLoop(options: PullLoopOptions): PullLoop {
  const { stream, consumer, log, concurrency = 1, expiresMs = PULL_MS } = options;
  const name = `${stream}/${consumer}`;
  const source = consumerSource(options);

  const running = part(name, ({ signal, defer }) => {
    const loops = Array.from({ length: concurrency }, () => {
      let expires = concurrency > 1 ? between(SHORTEST_PULL_MS, expiresMs) : expiresMs;
      const pull = async () => {
        await round(expires, signal);
        if (concurrency > 1) expires = between(expiresMs / 2, expiresMs);
      };
      return loop(name, pull, signal, { log, firstMs: 100, capMs: 2_000 });
    });
    defer(() => Promise.all(loops));
  });

  async function round(expires: number, stopping: AbortSignal): Promise<void> {
    await source.during(async (from) => {
      const message = await nextMessage(from, expires, stopping);
      if (message) settle(message, await decide(message, stopping));
    });
  }

  async function decide(message: JsMsg, stopping: AbortSignal): Promise<Outcome> {
    using _alive = keepAlive([message], options.keepAliveEveryMs, options.keepAliveMaxMs);
    try {
      return await options.handle(message, stopping);
    } catch (err) {
      const { deliveryCount } = message.info;
      log.error({ err, subject: message.subject, seq: message.seq, deliveryCount }, 'handler failed');
      return (await options.onError?.(err, message)) ?? { nak: 1_000 };
    }
  }

  return { ...running, failing: source.failing };
}

/** Finds the consumer once, and again after an error; makes it where it has gone. */
export function consumerSource({ nats, stream, consumer: name, ensure }: PullSource) {
  let found: Consumer | undefined;
  let failure: string | undefined;

  async function during(pull: (from: Consumer) => Promise<void>): Promise<void> {
    try {
      nats.refuseWhileAway();
      found ??= await nats.js.consumers.get(stream, name);
      await pull(found);
      failure = undefined;
    } catch (error) {
      found = undefined;
      failure = error instanceof Error ? error.message : String(error);
      // "No responders" is what a pull from a deleted consumer is answered; asking for it by name tells for sure.
      if (ensure && (await isGone())) await ensure();
      throw error;
    }
  }

  async function isGone(): Promise<boolean> {
    try {
      await nats.js.consumers.get(stream, name);
      return false;
    } catch (error) {
      return error instanceof Error && /NotFoundError$/.test(error.name);
    }
  }

  return { during, failing: () => failure };
}
