import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { headers } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { commandSubject, stepSubject } from '../../contracts/subjects.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { oneOf } from './plan.ts';

const KEPT = 60;
const DOUBLING_MS = 5_000;
/** Header of what we have published again. */
const AGAIN = 'Chaos-Again';

/** Commands and tasks that come twice, late, in another order, or that nobody can understand. */
export class StrangeCommands {
  readonly #js: JetStreamClient;
  readonly #redisUrl: string;
  readonly #answers: Msg[] = [];
  readonly #tasks: Msg[] = [];
  #doubling = false;
  /** Batch IDs under which poison was stored; each has to be answered or to lie among the dead letters. */
  readonly poison: { id: string; atMs: number }[] = [];

  constructor(nc: NatsConnection, redisUrl: string) {
    this.#js = jetstream(nc);
    this.#redisUrl = redisUrl;
    const keep = (kept: Msg[]) => (error: Error | null, message: Msg) => {
      if (error || message.headers?.has(AGAIN)) return;
      if (this.#doubling) void this.#again(message, false).catch(() => {});
      kept.push(message);
      if (kept.length > KEPT) kept.shift();
    };
    for (const verb of ['step-done', 'step-yielded', 'create'])
      nc.subscribe(commandSubject('*', verb), { callback: keep(this.#answers) });
    nc.subscribe('sms.step.*.*.*', { callback: keep(this.#tasks) });
  }

  /** What was sent; undefined where there was nothing to send, or the server did not take it. */
  async send(which: number, who: number): Promise<string | undefined> {
    const kind = oneOf(
      [
        'doubled',
        'doubled',
        'doubled',
        'duplicate',
        'stale',
        'reordered',
        'stale task',
        'poison',
        'poison task',
      ] as const,
      which,
    )!;
    try {
      return (await this.#sendKind(kind, who)) ? kind : undefined;
    } catch {
      return undefined;
    }
  }

  async #sendKind(kind: string, who: number): Promise<boolean> {
    switch (kind) {
      case 'doubled':
        this.#doubling = true;
        await sleep(DOUBLING_MS);
        this.#doubling = false;
        return true;
      case 'duplicate':
        return this.#again(oneOf(this.#answers, who), true);
      case 'stale':
        return this.#again(oneOf(this.#answers, who), false);
      case 'reordered': {
        let sent = false;
        for (const message of this.#answers.slice(-4).reverse())
          sent = (await this.#again(message, false)) || sent;
        return sent;
      }
      case 'stale task':
        return this.#again(oneOf(this.#tasks, who), false);
      case 'poison task':
        return this.#poison((id) => stepSubject('delivery', id, 0, 1), '{"batchId":');
      default:
        return this.#poison(
          (id) => commandSubject(id, who < 0.5 ? 'start' : 'explode'),
          who < 0.7 ? 'not JSON' : '[]',
        );
    }
  }

  async #again(message: Msg | undefined, sameId: boolean): Promise<boolean> {
    if (!message) return false;
    const h = headers();
    h.set(AGAIN, 'yes');
    const id = message.headers?.get('Nats-Msg-Id');
    if (sameId && id) h.set('Nats-Msg-Id', id);
    await this.#js.publish(message.subject, message.data, { headers: h });
    return true;
  }

  async #poison(subjectOf: (id: string) => string, body: string): Promise<boolean> {
    const id = `poison-${this.poison.length}-${Date.now()}`;
    await this.#js.publish(subjectOf(id), body);
    this.poison.push({ id, atMs: Date.now() });
    return true;
  }

  async flushRedis(): Promise<void> {
    const redis = new Redis(this.#redisUrl, { maxRetriesPerRequest: 1, lazyConnect: true });
    redis.on('error', () => {});
    try {
      await redis.flushall();
    } finally {
      redis.disconnect();
    }
  }
}
