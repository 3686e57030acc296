import type { NatsConnection } from '@nats-io/transport-node';
import { parseEventSubject } from '../../contracts/subjects.ts';
import { withTimeout } from '../../lib/lifecycle/deadline.ts';

// biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the event holds
export type AnyBody = Record<string, any>;

export interface SeenEvent {
  batchId: string;
  event: string;
  body: AnyBody;
  /** Date.now() at arrival. */
  seenAtMs: number;
}

export interface EventLog {
  readonly all: SeenEvent[];
  /** The first event, past or to come, that fits. */
  first(
    what: string,
    fits: (event: SeenEvent) => boolean,
    options?: { from?: number; withinMs?: number },
  ): Promise<SeenEvent>;
  /** The batch's next (or past, from index `from`) arrival in a state, as `DeliveryPaused`. */
  state(batchId: string, state: string, options?: { from?: number; withinMs?: number }): Promise<SeenEvent>;
  rejected(batchId: string, options?: { from?: number }): Promise<SeenEvent>;
  of(batchId: string, event: string): SeenEvent[];
}

/** Every event of the engine as it is published. */
export async function eventLog(nc: NatsConnection): Promise<EventLog> {
  const all: SeenEvent[] = [];
  const waiting = new Set<(event: SeenEvent) => void>();
  nc.subscribe('sms.evt.>', {
    callback: (error, message) => {
      const subject = error ? undefined : parseEventSubject(message.subject);
      if (!subject) return;
      const seen = { ...subject, body: message.json<AnyBody>(), seenAtMs: Date.now() };
      all.push(seen);
      for (const look of waiting) look(seen);
    },
  });
  await nc.flush();

  const first: EventLog['first'] = async (what, fits, { from = 0, withinMs = 30_000 } = {}) => {
    const known = all.slice(from).find(fits);
    if (known) return known;
    let look: (event: SeenEvent) => void = () => {};
    const found = new Promise<SeenEvent>((resolve) => {
      look = (event) => fits(event) && resolve(event);
      waiting.add(look);
    });
    try {
      return await withTimeout(found, withinMs, what);
    } finally {
      waiting.delete(look);
    }
  };
  return {
    all,
    first,
    state: (batchId, state, options) =>
      first(
        `${state} of ${batchId}`,
        (seen) => seen.batchId === batchId && seen.event === 'state-changed' && seen.body.state === state,
        options,
      ),
    rejected: (batchId, options) =>
      first(
        `a rejection for ${batchId}`,
        (seen) => seen.batchId === batchId && seen.event === 'command-rejected',
        options,
      ),
    of: (batchId, event) => all.filter((seen) => seen.batchId === batchId && seen.event === event),
  };
}
