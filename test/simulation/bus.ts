import { JetStreamApiError, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { headers, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import { ACK_WAIT_MS, streamShapes } from '../../contracts/streams.ts';
import { STREAMS } from '../../contracts/subjects.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import type { Host, Timeline } from './timeline.ts';
import type { Wire } from './wire.ts';

/** A message as a stream keeps it. */
export interface Stored {
  stream: string;
  subject: string;
  seq: number;
  atMs: number;
  data: Uint8Array;
  headers: MsgHdrs;
  /** A timer: where it is moved to, and when. */
  due?: { subject: string; cancel: () => void };
}

interface Stream {
  name: string;
  /** Gone once it is acknowledged. */
  isWorkQueue: boolean;
  /** A message more on the same subject is refused. */
  isOneASubject: boolean;
  messages: Map<number, Stored>;
  lastSeq: number;
  createdMs: number;
  /** Message ids of the last two minutes. */
  known: Map<string, { seq: number; atMs: number }>;
}

interface Out {
  message: Stored;
  host: Host;
  handling: boolean;
  /** Said to be worked on, lately. */
  workingAtMs: number;
}

export interface Subscriber {
  host: Host;
  /** Messages that it takes at once. */
  room: number;
  take: (message: Delivered) => void;
}

export interface Consumer {
  name: string;
  stream: string;
  wants: (subject: string) => boolean;
  maxAckPending: number;
  subscribers: Subscriber[];
  /** By sequence, ascending; those that came back are behind one another as they were. */
  waiting: Stored[];
  out: Map<Stored, Out>;
  deliveries: Map<Stored, number>;
}

/** A message in the hands of a process: as much of JsMsg as the product uses. */
export interface Delivered {
  readonly stored: Stored;
  readonly subject: string;
  readonly seq: number;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs;
  readonly timestamp: string;
  readonly timestampNanos: bigint;
  readonly info: {
    stream: string;
    streamSequence: number;
    timestampNanos: number;
    deliveryCount: number;
  };
  json<T>(): T;
  string(): string;
  ack(): void;
  nak(ms?: number): void;
  term(reason?: string): void;
  working(): void;
  /** Its handler has ended: nobody says any more that it is being worked on. */
  handled(): void;
}

const DUPLICATE_WINDOW_MS = 120_000;

const streamOf = (subject: string): string => {
  const [owner, kind, , verb] = subject.split('.');
  if (owner !== 'sms') return OUTSIDE;
  if (kind === 'cmd') return STREAMS.commands;
  if (kind === 'step') return STREAMS.steps;
  if (kind === 'evt') return STREAMS.events;
  if (kind === 'receipt') return STREAMS.receipts;
  if (kind === 'dead') return STREAMS.dead;
  if (kind === 'schedule' || kind === 'due' || (kind === 'task' && verb)) return STREAMS.schedules;
  return OUTSIDE;
};

/** Somebody else's stream, which schedules publish to. */
export const OUTSIDE = 'OUTSIDE';

export interface BusTroubles {
  /** Of each acknowledgement: it is lost. */
  loseAck: number;
  /** Of each delivery: the same message once more, to anyone. */
  double: number;
}

/** JetStream in memory: streams, durable consumers, redelivery, message ids, expected sequences, timers. */
export class Bus {
  readonly streams = new Map<string, Stream>();
  readonly consumers: Consumer[] = [];
  /** How often it has lost its disk. */
  wipes = 0;
  troubles: BusTroubles = { loseAck: 0, double: 0 };
  onStored: (message: Stored) => void = () => {};
  /** A planted mistake: a message counts as done when it is handed out. */
  ackFirst = false;
  /** A planted mistake: neither ids nor expected sequences are looked at. */
  takesAll = false;
  readonly #timeline: Timeline;
  readonly #wire: Wire;

  constructor(timeline: Timeline, wire: Wire) {
    this.#timeline = timeline;
    this.#wire = wire;
    this.#make();
  }

  #make(): void {
    const add = (name: string, isWorkQueue: boolean, isOneASubject = false) =>
      this.streams.set(name, {
        name,
        isWorkQueue,
        isOneASubject,
        messages: new Map(),
        lastSeq: 0,
        createdMs: this.#timeline.nowMs,
        known: new Map(),
      });
    for (const { name, retention, discard_new_per_subject } of streamShapes())
      add(name, retention === 'workqueue', discard_new_per_subject);
    add(OUTSIDE, false);
  }

  /** The disk of the broker is lost: all that it held, and all that it knew. */
  wipe(): void {
    this.wipes += 1;
    this.#timeline.note('the bus has lost its disk');
    for (const { messages } of this.streams.values()) for (const { due } of messages.values()) due?.cancel();
    this.#make();
    for (const consumer of this.consumers) {
      consumer.waiting = [];
      consumer.out.clear();
      consumer.deliveries.clear();
    }
  }

  consumer(name: string, stream: string, wants: Consumer['wants'], maxAckPending: number): Consumer {
    const consumer: Consumer = {
      name,
      stream,
      wants,
      maxAckPending,
      subscribers: [],
      waiting: [],
      out: new Map(),
      deliveries: new Map(),
    };
    this.consumers.push(consumer);
    return consumer;
  }

  subscribe(consumer: Consumer, subscriber: Subscriber): void {
    consumer.subscribers = consumer.subscribers.filter(({ host }) => host.state !== 'dead');
    consumer.subscribers.push(subscriber);
    this.#pump(consumer);
  }

  last(stream: string, subject: string): Stored | undefined {
    let last: Stored | undefined;
    for (const message of this.streams.get(stream)!.messages.values())
      if (message.subject === subject) last = message;
    return last;
  }

  /** @throws JetStreamApiError */
  store(
    subject: string,
    data: Uint8Array,
    given: {
      msgId: string;
      headers: MsgHdrs;
      expectedSeq?: number | undefined;
      timer?: { atMs: number; target: string } | undefined;
    },
  ): { seq: number; duplicate: boolean } {
    const { nowMs } = this.#timeline;
    const stream = this.streams.get(streamOf(subject))!;
    const known = stream.known.get(given.msgId);
    if (known && nowMs - known.atMs < DUPLICATE_WINDOW_MS && !this.takesAll)
      return { seq: known.seq, duplicate: true };
    if (given.expectedSeq !== undefined && !this.takesAll) {
      const lastSeq = this.last(stream.name, subject)?.seq ?? 0;
      if (lastSeq !== given.expectedSeq) throw refusal(10_071, `wrong last sequence: ${lastSeq}`);
    }
    const before = stream.isOneASubject || given.timer ? this.last(stream.name, subject) : undefined;
    if (before && stream.isOneASubject) throw refusal(10_077, 'maximum messages per subject exceeded');
    if (before) this.#remove(before);
    stream.lastSeq += 1;
    const message: Stored = {
      stream: stream.name,
      subject,
      seq: stream.lastSeq,
      atMs: nowMs,
      data,
      headers: given.headers,
    };
    stream.messages.set(message.seq, message);
    stream.known.set(given.msgId, { seq: message.seq, atMs: nowMs });
    if (given.timer) this.#arm(message, given.timer);
    this.onStored(message);
    for (const consumer of this.consumers) {
      if (consumer.stream !== stream.name || !consumer.wants(subject)) continue;
      consumer.waiting.push(message);
      this.#pump(consumer);
    }
    return { seq: message.seq, duplicate: false };
  }

  /** At its instant the server moves it, whoever is up. */
  #arm(message: Stored, { atMs, target }: { atMs: number; target: string }): void {
    const fire = () => {
      this.#remove(message);
      this.store(target, message.data, { msgId: `fired ${message.seq} ${message.atMs}`, headers: headers() });
    };
    const cancel = this.#timeline.after(atMs - this.#timeline.nowMs, fire);
    message.due = { subject: target, cancel };
  }

  #remove(message: Stored): void {
    const stream = this.streams.get(message.stream)!;
    if (stream.messages.get(message.seq) === message) stream.messages.delete(message.seq);
    message.due?.cancel();
  }

  purge(stream: string, subject: string, below: number): void {
    for (const message of [...this.streams.get(stream)!.messages.values()])
      if (message.subject === subject && message.seq < below) this.#remove(message);
  }

  /** Hands out what may be handed out. */
  #pump(consumer: Consumer): void {
    for (;;) {
      if (consumer.waiting.length === 0 || consumer.out.size >= consumer.maxAckPending) return;
      const free = consumer.subscribers.filter(
        ({ host, room }) => host.state !== 'dead' && inHand(consumer, host) < room,
      );
      if (free.length === 0) return;
      this.#deliver(consumer, consumer.waiting.shift()!, this.#timeline.pick(free));
    }
  }

  #deliver(consumer: Consumer, message: Stored, subscriber: Subscriber): void {
    const { host } = subscriber;
    const timeline = this.#timeline;
    const deliveryCount = (consumer.deliveries.get(message) ?? 0) + 1;
    consumer.deliveries.set(message, deliveryCount);
    const out: Out = { message, host, handling: true, workingAtMs: 0 };
    consumer.out.set(message, out);
    const delivered = this.#delivered(consumer, out, deliveryCount);
    timeline.after(timeline.between(0.1, 2), () => subscriber.take(delivered), host);
    timeline.after(ACK_WAIT_MS, () => this.#overdue(consumer, out));
    if (this.ackFirst) timeline.after(0, () => this.#settled(consumer, out));
    if (timeline.chance(this.troubles.double)) {
      timeline.after(timeline.between(1, 3_000), () => {
        const others = consumer.subscribers.filter((each) => each.host.state === 'up');
        if (others.length === 0) return;
        const other = timeline.pick(others);
        timeline.note(`${message.subject} #${message.seq} comes once more, to ${other.host.name}`);
        const again: Out = { message, host: other.host, handling: true, workingAtMs: 0 };
        other.take(this.#delivered(consumer, again, deliveryCount + 1));
      });
    }
  }

  /** Nobody has acknowledged it for so long: to anyone, unless its holder says that it works on it. */
  #overdue(consumer: Consumer, out: Out): void {
    if (consumer.out.get(out.message) !== out) return;
    const idleMs = out.handling && out.host.state === 'up' ? 0 : this.#timeline.nowMs - out.workingAtMs;
    if (idleMs < ACK_WAIT_MS) {
      this.#timeline.after(ACK_WAIT_MS - idleMs, () => this.#overdue(consumer, out));
      return;
    }
    this.#back(consumer, out);
  }

  #back(consumer: Consumer, out: Out): void {
    if (consumer.out.get(out.message) !== out) return;
    consumer.out.delete(out.message);
    const at = consumer.waiting.findIndex(({ seq }) => seq > out.message.seq);
    consumer.waiting.splice(at < 0 ? consumer.waiting.length : at, 0, out.message);
    this.#pump(consumer);
  }

  #settled(consumer: Consumer, out: Out): void {
    // The acknowledgement of one who was late counts as well.
    if (!consumer.out.delete(out.message) && !consumer.waiting.includes(out.message)) return;
    consumer.waiting = consumer.waiting.filter((each) => each !== out.message);
    consumer.deliveries.delete(out.message);
    if (this.streams.get(consumer.stream)!.isWorkQueue) this.#remove(out.message);
    this.#pump(consumer);
  }

  #delivered(consumer: Consumer, out: Out, deliveryCount: number): Delivered {
    const { message } = out;
    const timeline = this.#timeline;
    let said = false;
    const say = (what: () => void) => {
      if (said) return;
      said = true;
      if (timeline.chance(this.troubles.loseAck)) {
        timeline.note(`an acknowledgement of ${message.subject} #${message.seq} is lost`);
        return;
      }
      timeline.after(timeline.between(0.1, 2), what);
    };
    const text = () => Buffer.from(message.data).toString('utf8');
    return {
      stored: message,
      subject: message.subject,
      seq: message.seq,
      data: message.data,
      headers: message.headers,
      timestamp: new Date(message.atMs).toISOString(),
      timestampNanos: BigInt(Math.floor(message.atMs)) * 1_000_000n,
      info: {
        stream: message.stream,
        streamSequence: message.seq,
        timestampNanos: Math.floor(message.atMs) * 1_000_000,
        deliveryCount,
      },
      json: <T>() => JSON.parse(text()) as T,
      string: text,
      ack: () => say(() => this.#settled(consumer, out)),
      nak: (ms = 0) => say(() => timeline.after(ms, () => this.#back(consumer, out))),
      term: () => say(() => this.#settled(consumer, out)),
      working: () => {
        out.workingAtMs = timeline.nowMs;
      },
      handled: () => {
        out.handling = false;
        if (!this.ackFirst) return;
        this.#pump(consumer);
      },
    };
  }

  /** A process's connection. */
  connect(host: Host): Nats {
    const js = {
      publish: (subject: string, payload: string | Uint8Array, options: PublishOptions) => {
        const data = Buffer.from(payload as string);
        const { msgID, expect, schedule } = options;
        const timer = schedule && {
          atMs: (schedule.specification as Date).getTime(),
          target: schedule.target,
        };
        return this.#wire.call(host, 'bus', `publish ${subject}`, () =>
          this.store(subject, data, {
            msgId: msgID,
            headers: withId(options.headers, msgID),
            expectedSeq: expect?.lastSubjectSequence,
            timer,
          }),
        );
      },
    };
    const jsm = {
      streams: {
        getMessage: (stream: string, { last_by_subj }: { last_by_subj: string }) =>
          this.#wire.call(host, 'bus', `last of ${last_by_subj}`, () => {
            const last = this.last(stream, last_by_subj);
            if (!last) return null;
            const text = Buffer.from(last.data).toString('utf8');
            return {
              seq: last.seq,
              header: last.headers,
              data: last.data,
              string: () => text,
              json: () => JSON.parse(text),
            };
          }),
        purge: (stream: string, { filter, seq }: { filter: string; seq: number }) =>
          this.#wire.call(host, 'bus', `purge ${filter}`, () => this.purge(stream, filter, seq)),
        info: (stream: string) =>
          this.#wire.call(host, 'bus', `look at ${stream}`, () => ({
            created: String(this.streams.get(stream)!.createdMs),
          })),
        find: (subject: string) => this.#wire.call(host, 'bus', `find ${subject}`, () => streamOf(subject)),
      },
    };
    return {
      js: js as unknown as JetStreamClient,
      jsm: jsm as unknown as JetStreamManager,
      nc: { publish: () => {} } as unknown as NatsConnection,
      connected: () => true,
      refuseWhileAway: () => {},
      close: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
  }
}

interface PublishOptions {
  msgID: string;
  headers: MsgHdrs;
  expect?: { lastSubjectSequence?: number };
  schedule?: { specification: unknown; target: string };
}

const refusal = (code: number, description: string) =>
  new JetStreamApiError({ code: 400, err_code: code, description });

function withId(given: MsgHdrs, id: string): MsgHdrs {
  given.set('Nats-Msg-Id', id);
  return given;
}

function inHand(consumer: Consumer, host: Host): number {
  let count = 0;
  for (const out of consumer.out.values()) if (out.host === host && out.handling) count += 1;
  return count;
}
