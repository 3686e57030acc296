import type { JsMsg } from '@nats-io/jetstream';
import { loop } from '../lifecycle/loop.ts';
import { part } from '../lifecycle/part.ts';
import { inGroups } from './in-groups.ts';
import { keepAlive } from './keep-alive.ts';
import { openPull, PULL_MS } from './open-pull.ts';
import { type Outcome, settle } from './outcome.ts';
import { consumerSource, type PullLoop, type PullSource } from './pull-loop.ts';

export interface FetchLoopOptions extends PullSource {
  /** Gets up to `maxMessages` at once. One outcome stands for all of them; else one for each, in order. */
  handle: (messages: readonly JsMsg[], stopping: AbortSignal) => Promise<Outcome | readonly Outcome[]>;
  maxMessages: number;
  /** How long a group waits to be filled after its first message. */
  lingerMs: number;
  keepAliveEveryMs?: number;
}

/** Like pullLoop, for work that is cheaper in groups: receipts, counters. Stop strands nothing. */
export function fetchLoop(options: FetchLoopOptions): PullLoop {
  const { stream, consumer, log, maxMessages, lingerMs, expiresMs = PULL_MS } = options;
  const name = `${stream}/${consumer}`;
  const source = consumerSource(options);

  async function round(stopping: AbortSignal): Promise<void> {
    await source.during(async (from) => {
      // Those that wait in the buffer are kept alive too: a slow group must not send the next one elsewhere.
      const held = new Set<JsMsg>();
      using _alive = keepAlive(held, options.keepAliveEveryMs);
      const pull = remembered(openPull(from, { maxMessages, expiresMs }, stopping), held);
      for await (const group of inGroups(pull, maxMessages, lingerMs)) {
        await settleGroup(group, stopping);
        for (const message of group) held.delete(message);
      }
    });
  }

  async function settleGroup(group: readonly JsMsg[], stopping: AbortSignal): Promise<void> {
    let outcome: Outcome | readonly Outcome[];
    try {
      outcome = await options.handle(group, stopping);
    } catch (err) {
      log.error({ err, messages: group.length, stream, consumer }, 'handler failed');
      outcome = { nak: 1_000 };
    }
    const each = outcome;
    group.forEach((message, i) => {
      settle(message, Array.isArray(each) ? (each[i] ?? 'leave') : (each as Outcome));
    });
  }

  const running = part(name, ({ signal, defer }) => {
    const looping = loop(name, () => round(signal), signal, { log, firstMs: 100, capMs: 2_000 });
    defer(() => looping);
  });
  return { ...running, failing: source.failing };
}

async function* remembered(messages: AsyncIterable<JsMsg>, held: Set<JsMsg>): AsyncGenerator<JsMsg, void> {
  for await (const message of messages) {
    held.add(message);
    yield message;
  }
}
