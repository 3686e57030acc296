import { JetStreamApiError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';
import { MongoNetworkError, MongoServerError } from 'mongodb';
import type { Host, Timeline } from './timeline.ts';

export type Server = 'store' | 'bus';

/** What may happen to a process or to a request, by chance; all 0 once the world heals. */
export interface Troubles {
  /** Of each request: the process dies, half of them before it takes effect. */
  kill: number;
  /** Of each request: the process stands still for 0.2 to 20 s, and goes on with what it had in hand. */
  freeze: number;
  /** Of each request: it is lost, on the way there or on the way back. */
  lose: number;
  /** Of each request: it is slow, up to 5 s. */
  delay: number;
}

export const NO_TROUBLES: Troubles = { kill: 0, freeze: 0, lose: 0, delay: 0 };

interface Call<T> {
  host: Host;
  server: Server;
  name: string;
  /** @param share of what is asked for; less than 1 where the server dies in the midst of it */
  apply: (share: number) => T;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
}

/** A client notices only after so long that nobody answers. */
const NOTICED_AFTER_MS = { store: 400, bus: 2_000 } as const;

/** Between the processes and the servers: requests take their time, get lost, or meet a process that is gone. */
export class Wire {
  troubles: Troubles = NO_TROUBLES;
  /** Servers that are away, and until when. */
  readonly awayUntil: Record<Server, number> = { store: 0, bus: 0 };
  readonly #timeline: Timeline;
  readonly #kill: (host: Host) => void;
  /** On one connection to the bus nothing overtakes. */
  readonly #lastArrival = new WeakMap<Host, number>();

  constructor(timeline: Timeline, kill: (host: Host) => void) {
    this.#timeline = timeline;
    this.#kill = kill;
  }

  call<T>(host: Host, server: Server, name: string, apply: (share: number) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const call: Call<T> = { host, server, name, apply, resolve, reject };
      this.#timeline.after(this.#latencyMs(host, server), () => this.#arrive(call));
    });
  }

  #latencyMs(host: Host, server: Server): number {
    const timeline = this.#timeline;
    let ms = timeline.between(0.1, 3);
    if (timeline.chance(this.troubles.delay)) ms += timeline.between(50, 5_000);
    if (server === 'store') return ms;
    const arrival = Math.max(timeline.nowMs + ms, this.#lastArrival.get(host) ?? 0);
    this.#lastArrival.set(host, arrival);
    return arrival - timeline.nowMs;
  }

  #arrive<T>(call: Call<T>): void {
    const { host, server, name } = call;
    const timeline = this.#timeline;
    const { troubles } = this;
    // Of a dead process only what was on the wire already arrives.
    if (host.state === 'dead' && timeline.chance(0.5)) return;
    if (timeline.nowMs < this.awayUntil[server]) {
      this.#lost(call);
      return;
    }
    if (timeline.chance(troubles.kill)) {
      const before = timeline.chance(0.5);
      timeline.note(`${host.name} dies ${before ? 'before' : 'after'} ${name}`);
      if (!before) unheard(() => call.apply(1));
      this.#kill(host);
      return;
    }
    if (timeline.chance(troubles.lose)) {
      const back = timeline.chance(0.5);
      timeline.note(`${host.name}: ${name} is lost on the way ${back ? 'back' : 'there'}`);
      if (back) unheard(() => call.apply(timeline.chance(0.8) ? 1 : timeline.random()));
      this.#lost(call);
      return;
    }
    let answer: () => void;
    try {
      const value = call.apply(1);
      answer = () => call.resolve(value);
    } catch (error) {
      if (!(error instanceof MongoServerError) && !(error instanceof JetStreamApiError)) throw error;
      answer = () => call.reject(error);
    }
    if (timeline.chance(troubles.freeze)) {
      timeline.note(`${host.name} has asked for ${name}`);
      timeline.freeze(
        host,
        timeline.chance(0.5) ? timeline.between(200, 1_500) : timeline.between(1_500, 20_000),
      );
    }
    // Most answers are there at once; while the others travel, somebody else may change what they say.
    const backMs = timeline.chance(0.3) ? timeline.between(0.1, 3) : 0;
    timeline.after(backMs, answer, host);
  }

  #lost<T>({ host, server, name, reject }: Call<T>): void {
    const error =
      server === 'store'
        ? new MongoNetworkError(`${name}: the connection is gone`)
        : new errors.TimeoutError();
    this.#timeline.after(this.#timeline.between(1, NOTICED_AFTER_MS[server]), () => reject(error), host);
  }
}

/** Carried out, but nobody hears the answer: neither what was done nor that it was refused. */
function unheard(apply: () => unknown): void {
  try {
    apply();
  } catch (error) {
    if (!(error instanceof MongoServerError) && !(error instanceof JetStreamApiError)) throw error;
  }
}
