import type { JsMsg } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { turnstile } from '../../lib/lifecycle/turnstile.ts';
import { isTransient } from '../../lib/mongo/errors.ts';
import { type Outcome, settle } from '../../lib/nats/outcome.ts';
import { isUnavailable } from '../../lib/nats/unavailable.ts';
import { park } from '../../lib/receipts/parked.ts';
import type { Store } from '../../lib/store/collections.ts';
import { type Incoming, openMessage } from './incoming.ts';
import type { JoinItem, LateItem } from './join-item.ts';
import { type Joining, JoinRound } from './join-round.ts';
import { matchByIdInMemory } from './match-by-id.ts';
import type { ReceiptMetrics } from './metrics.ts';
import type { Recounts } from './recounts.ts';

export interface PipelineOptions {
  joining: Joining;
  store: Store;
  recounts: Recounts;
  metrics: ReceiptMetrics;
  log: Logger;
  bury: (message: JsMsg, reason: string) => Promise<Outcome>;
  /** How long a receipt waits in memory for the answer that it was faster than. */
  holdMs: number;
  /** More than this wait in the store. */
  maxHeld: number;
  maxBucketReads: number;
}

const DIRECTORY_MAX_AGE_MS = 1_000;
/** While receipts find no batch, it is looked for more often. */
const DIRECTORY_HURRY_MS = 150;
const GIVE_BACK_MS = 1_000;
const TRIES_OF_POISON = 3;
/**
 * From the beginning of a round to that of the next, so that chunks which are being sent are written once or twice and not
 * with each group of receipts; a first receipt waits for nothing.
 */
const ROUND_EVERY_MS = 500;
/** So many make a round at once. */
const FULL_ROUND = 50_000;
/** Receipts read ahead of the round that is being stored. */
const MAX_QUEUED = 60_000;

/** From messages of SMS_RECEIPTS to receipt documents, one round after the other. */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #open = new Set<Incoming>();
  /** Rounds change chunks in memory: never two at once. */
  readonly #rounds = turnstile(1, 1_000_000);
  #held: JoinItem[] = [];
  #queued: Incoming[] = [];
  #queuedReceipts = 0;
  #queuedLate: LateItem[] = [];
  /** The round that will take what is queued. */
  #next: Promise<void> | undefined;
  #roundAtMs = Number.NEGATIVE_INFINITY;
  /** Ends the wait for the next round. */
  #hurry = new AbortController();

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  get held(): number {
    return this.#held.length;
  }

  /**
   * For fetchLoop. Messages are acknowledged here, when all that they hold is stored; only poison is settled there. Comes back
   * as soon as the receipts are queued, so that the next messages are read while a round is being stored; what has queued up
   * meanwhile is one round.
   */
  async handle(messages: readonly JsMsg[]): Promise<Outcome[]> {
    const nowMs = performance.now();
    const outcomes: Outcome[] = [];
    let receipts = 0;
    for (const message of messages) {
      const opened = openMessage(message, nowMs, this.#open);
      if (!opened.ok) {
        outcomes.push(await this.#options.bury(message, opened.reason));
        continue;
      }
      outcomes.push('leave');
      if (opened.incoming.open === 0) opened.incoming.ack();
      this.#queued.push(opened.incoming);
      for (const each of opened.late) this.#queuedLate.push(each);
      receipts += opened.incoming.receipts;
      this.#options.metrics.lateAnswers.inc(opened.late.length);
    }
    this.#options.metrics.receipts.inc(receipts);
    this.#queuedReceipts += receipts;
    const round = this.#work();
    if (this.#queuedReceipts >= FULL_ROUND) this.#hurry.abort();
    if (this.#queuedReceipts > MAX_QUEUED) await round;
    return outcomes;
  }

  /** Runs a round over all that is queued, unless one that has not begun yet will. */
  #work(): Promise<void> {
    this.#next ??= this.#due().then(() =>
      this.exclusively(() => {
        this.#next = undefined;
        this.#roundAtMs = performance.now();
        this.#hurry = new AbortController();
        const items = this.#queued.flatMap((incoming) => incoming.takeItems());
        const late = this.#queuedLate;
        this.#queued = [];
        this.#queuedReceipts = 0;
        this.#queuedLate = [];
        return this.#guarded(items, late);
      }),
    );
    return this.#next;
  }

  async #due(): Promise<void> {
    const waitMs = this.#roundAtMs + ROUND_EVERY_MS - performance.now();
    if (waitMs > 0) await sleep(waitMs, this.#hurry.signal);
  }

  /** Another look at what waits in memory. */
  async retryHeld(): Promise<void> {
    if (this.#held.length > 0) await this.#work();
  }

  /** Says of what is not settled that it is being worked on. */
  keepAlive(): void {
    for (const { message } of this.#open) message.working();
  }

  /** Before the end of the process: what waits in memory goes to the store. */
  async flush(): Promise<void> {
    this.#hurry.abort();
    await this.#work();
    await this.exclusively(async () => {
      const held = this.#held;
      this.#held = [];
      try {
        await this.#park(held);
      } catch (error) {
        this.#giveBack(held, []);
        throw error;
      }
    });
  }

  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#rounds.run(work)!;
  }

  async #guarded(fresh: readonly JoinItem[], late: readonly LateItem[]): Promise<void> {
    const hurry = this.#held.length > 0;
    const items = hurry ? this.#held.concat(fresh) : fresh;
    this.#held = [];
    try {
      await this.#round(items, late, hurry);
    } catch (error) {
      this.#held = [];
      if (isTransient(error) || isUnavailable(error)) {
        this.#options.log.warn({ err: error, receipts: items.length }, 'receipts are given back');
        this.#giveBack(items, late);
        return;
      }
      this.#options.log.error({ err: error, receipts: items.length }, 'a round failed: message by message');
      await this.#oneByOne(items, late);
    }
  }

  /** One message that cannot be handled must not hold the others back. */
  async #oneByOne(items: readonly JoinItem[], late: readonly LateItem[]): Promise<void> {
    const sources = new Set([...items, ...late].map(({ source }) => source as Incoming));
    for (const source of sources) {
      if (source.settled) continue;
      const own = items.filter((item) => item.source === source && !isStored(item));
      const ownLate = late.filter((item) => item.source === source && !isStored(item));
      try {
        await this.#round(own, ownLate);
      } catch (error) {
        const tries = source.message.info.deliveryCount;
        if (tries < TRIES_OF_POISON || isTransient(error) || isUnavailable(error)) {
          source.giveBack(GIVE_BACK_MS);
          continue;
        }
        await this.#bury(source, `tried ${tries} times: ${(error as Error).message}`);
      }
    }
  }

  async #bury(source: Incoming, reason: string): Promise<void> {
    try {
      const outcome = await this.#options.bury(source.message, reason);
      if (source.settle()) settle(source.message, outcome);
    } catch (err) {
      this.#options.log.warn({ err, reason }, 'a dead letter could not be stored');
      source.giveBack(GIVE_BACK_MS);
    }
  }

  async #round(items: readonly JoinItem[], late: readonly LateItem[], hurry = false): Promise<void> {
    const { joining, recounts, metrics, maxBucketReads, store } = this.#options;
    const endRound = metrics.roundSeconds.startTimer();
    await joining.directory.refresh(hurry ? DIRECTORY_HURRY_MS : DIRECTORY_MAX_AGE_MS);
    const round = new JoinRound(joining, { deep: false, maxBucketReads });
    try {
      await round.answerLate(late);
      const withoutNumber = items.filter((item) => !item.hasNumber);
      await round.match(withoutNumber.length === 0 ? items : items.filter((item) => item.hasNumber));
      await matchByIdInMemory(round, joining, store, withoutNumber);
      await round.store((chunk, counts) => recounts.written(chunk, counts));
    } catch (error) {
      round.forget();
      for (const item of items) item.joined = false;
      for (const item of late) item.joined = false;
      throw error;
    }
    await recounts.touch(round.lives, { late: round.movedOutcomes });
    await this.#settle(items, late);
    endRound();
  }

  async #settle(items: readonly JoinItem[], late: readonly LateItem[]): Promise<void> {
    const { holdMs, maxHeld, log } = this.#options;
    const nowMs = performance.now();
    const toPark: JoinItem[] = [];
    for (const item of items) {
      if (item.joined) (item.source as Incoming).stored();
      else if (nowMs - item.sinceMs >= holdMs || this.#held.length >= maxHeld) toPark.push(item);
      else this.#held.push(item);
    }
    for (const each of late) {
      // Its batch is gone, or was never here: there is nothing that it could change.
      if (!each.joined) log.warn({ chunk: each.answer.chunk }, 'a late answer has no chunk');
      (each.source as Incoming).stored();
    }
    await this.#park(toPark);
  }

  async #park(items: readonly JoinItem[]): Promise<void> {
    if (items.length === 0) return;
    const receipts = items.map((item) => ({ provider: item.provider, receipt: item.text }));
    await park(this.#options.store.db, receipts, Date.now());
    this.#options.metrics.parked.inc(items.length);
    for (const item of items) {
      const source = item.source as Incoming;
      item.joined = true;
      source.stored();
      source.forgetTexts();
    }
  }

  #giveBack(items: readonly JoinItem[], late: readonly LateItem[]): void {
    for (const { source } of items) (source as Incoming).giveBack(GIVE_BACK_MS);
    for (const { source } of late) (source as Incoming).giveBack(GIVE_BACK_MS);
  }
}

const isStored = (item: { joined: boolean }): boolean => item.joined;
