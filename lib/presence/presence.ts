import type { Logger } from 'pino';
import { type Part, part } from '../lifecycle/part.ts';
import type { Nats } from '../nats/connect.ts';

export interface PresenceOptions {
  nats: Pick<Nats, 'nc' | 'connected'>;
  /** Without the host, e.g. `sms.presence.steps`; each host announces itself one token below. */
  subject: string;
  hostId: string;
  log: Logger;
  everyMs?: number;
  /** A host that was not heard for so long is gone. */
  goneAfterMs?: number;
  now?: () => number;
}

export interface Presence extends Part {
  /** How many hosts there are, this one included: 1 or more. For sharing out a rate, never for deciding who owns what. */
  liveHosts(): number;
}

/** Hosts of a service say that they are there, on core NATS: nothing is stored, and a lost announcement means nothing. */
export function presence(options: PresenceOptions): Presence {
  const {
    nats,
    subject,
    hostId,
    everyMs = 1_000,
    goneAfterMs = 3_000,
    now = () => performance.now(),
  } = options;
  const heardAt = new Map<string, number>();
  let deafUntil = Number.NEGATIVE_INFINITY;

  function liveHosts(): number {
    forgetTheGone();
    return heardAt.size + (heardAt.has(hostId) ? 0 : 1);
  }

  function forgetTheGone(): void {
    // While NATS is away nobody is heard, and each host would think that it is alone with the whole rate.
    if (!nats.connected()) deafUntil = now() + goneAfterMs;
    if (now() < deafUntil) return;
    for (const [host, at] of heardAt) if (now() - at > goneAfterMs) heardAt.delete(host);
  }

  function hear(heard: string, leaving: boolean): void {
    const host = heard.slice(subject.length + 1);
    if (leaving) heardAt.delete(host);
    else {
      if (!heardAt.has(host)) options.log.debug({ subject, hostId: host }, 'host heard');
      heardAt.set(host, now());
    }
  }

  const running = part(`presence ${subject}`, async ({ defer }) => {
    const subscription = nats.nc.subscribe(`${subject}.*`, {
      callback: (error, message) => {
        if (!error) hear(message.subject, message.string() === 'leaving');
      },
    });
    const announce = (what: 'here' | 'leaving') => {
      forgetTheGone();
      // A client that is away keeps what is published for the reconnect: a burst of stale announcements.
      if (nats.connected()) nats.nc.publish(`${subject}.${hostId}`, what);
    };
    announce('here');
    const timer = setInterval(() => announce('here'), everyMs);
    defer(() => {
      clearInterval(timer);
      subscription.unsubscribe();
      if (!nats.nc.isClosed()) announce('leaving');
      heardAt.clear();
    });
    if (nats.connected()) await nats.nc.flush();
  });
  return { ...running, liveHosts };
}
