import { sleep } from '../../../lib/lifecycle/sleep.ts';
import type { ChunkFlush } from './chunk-flush.ts';
import { leasesOf, segmentsOf } from './lease.ts';
import { factorCounter, type LimitingFactor, limitedBy } from './limiting-factor.ts';
import type { Message } from './message.ts';
import { nextWindow } from './next-window.ts';
import { OpenChunks } from './open-chunks.ts';
import { recordUnsent } from './record-unsent.ts';
import type { Settlement } from './settlement.ts';
import { takeOverTask } from './take-over-task.ts';
import type { Account, Ending, TaskEnd } from './task-end.ts';
import type { TaskJournal } from './task-journal.ts';
import type { TaskRunOptions } from './task-run-options.ts';
import type { TaskSender } from './task-sender.ts';
import { unstoredAnswers } from './unstored-answers.ts';
import { wakeable } from './wakeable.ts';
import type { WindowShare } from './window-shares.ts';

const TICK_MS = 100;
/** One window is being sent, one more is authorised: a crash leaves no more than that in doubt. */
const MAX_LEASES = 2;
/** Without anything to send, the journal is asked this often whether the task is held. */
const LOOK_EVERY_MS = 1_000;
/** No intent is made for lines that will not be ready within its life. */
const READY_WITHIN_MS = 150;
/** The journal is written this long before the reserved start at most: its time runs from then. */
const LEAD_MS = 150;
const LEAVE_WITHIN_MS = 5_000;

/** One holder's work on one task of delivery, from the take to the last stored outcome. */
export class TaskRun {
  readonly #o: TaskRunOptions;
  readonly #chunks: OpenChunks;
  readonly #factors = factorCounter();
  readonly #changed = wakeable();
  #sender!: TaskSender;
  #settlement!: Settlement;
  #journal!: TaskJournal;
  #share: WindowShare | undefined;
  #flush!: ChunkFlush;
  #ending: Ending | undefined;
  #failure: { error: unknown } | undefined;
  #waitingFor: LimitingFactor = 'journal';
  /** The service stops: answers are waited for so long. */
  #leaveBy = Number.POSITIVE_INFINITY;

  constructor(options: TaskRunOptions) {
    this.#o = options;
    this.#chunks = new OpenChunks({
      store: options.store,
      range: options.range,
      authorisedTo: options.task.authorisedTo,
      onLoaded: () => this.#changed.wake(),
      onFailed: (error) => this.#fail(error),
    });
  }

  async run(): Promise<TaskEnd> {
    if (!(await this.#takeOver())) return { kind: 'lost' };
    const { provider, signal } = this.#o;
    const leave = () => {
      this.#leaveBy = performance.now() + LEAVE_WITHIN_MS;
      this.#end({ kind: 'left' });
    };
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    const ticker = setInterval(() => this.#tick(), TICK_MS);
    provider.join(this.#sender);
    this.#share = this.#o.shares.join(this.#o.task.batchId, () => this.#changed.wake());
    try {
      this.#chunks.load();
      while (!this.#ending) await this.#round();
      const end = await this.#finish();
      if (end.kind === 'lost') this.#handOver();
      return end;
    } catch (error) {
      this.#lose();
      this.#handOver();
      throw error;
    } finally {
      clearInterval(ticker);
      signal.removeEventListener('abort', leave);
      this.#sender.drain();
      provider.leave(this.#sender);
      this.#share[Symbol.dispose]();
    }
  }

  /** Answers that came before the loss was noticed are told as those are that come after it. */
  #handOver(): void {
    for (const chunk of this.#chunks.all()) {
      for (const answer of unstoredAnswers(chunk)) this.#o.onLateAnswer(answer);
    }
  }

  /** Accounts for a held task without sending anything. */
  async settle(): Promise<Account | undefined> {
    if (!(await this.#takeOver())) return undefined;
    this.#ending = { kind: 'held' };
    const end = await this.#finish();
    return end.kind === 'lost' || end.kind === 'left' ? undefined : end;
  }

  #end(ending: Ending): void {
    // Another holder's take overrides every reason of ours.
    if (!this.#ending || ending.kind === 'lost') this.#ending = ending;
    if (ending.kind === 'lost') this.#lose();
    else this.#sender?.drain();
    this.#changed.wake();
  }

  /** From now on answers are only told to the receipts. */
  #lose(): void {
    if (this.#settlement) this.#settlement.lost = true;
    this.#sender?.drain();
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#changed.wake();
  }

  async #takeOver(): Promise<boolean> {
    const parts = await takeOverTask(this.#o, this.#chunks, this.#o.sizer, {
      onChange: () => this.#changed.wake(),
      onStop: (stop) => this.#end({ kind: 'stopped', stop }),
      onLost: () => this.#end({ kind: 'lost' }),
      onFailed: (error) => this.#fail(error),
      onStored: (version, account) => this.#report(version, account),
    });
    this.#settlement = parts.settlement;
    this.#sender = parts.sender;
    this.#journal = parts.journal;
    this.#flush = parts.flush;
    // What was in doubt is written at once: nobody has to decide on it again.
    return (await this.#flush.all()) && this.#ending === undefined;
  }

  /** One look at what is to be done: at most one intent. */
  async #round(): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    const sender = this.#sender;
    const nowMs = Date.now();
    if (this.#o.notAfterMs !== null && nowMs >= this.#o.notAfterMs) return this.#end({ kind: 'expired' });
    // Also while nothing can be sent a hold must be noticed, and what is known be written down.
    if (performance.now() - this.#journal.lastIntentAt >= LOOK_EVERY_MS && !(await this.#intent())) return;
    if (this.#mayAuthorise()) {
      const authorisedBefore = this.#journal.authorisedTo;
      const messages = await this.#collect();
      if (this.#ending) return this.#putBack(messages);
      if (messages.length > 0) return this.#authorise(messages, authorisedBefore);
    }
    if (this.#isDone()) return this.#end({ kind: 'done' });
    if (sender.leases.length === 0 && this.#chunks.exhausted) this.#share!.pass();
    this.#waitingFor = this.#chunks.loading
      ? 'store'
      : this.#settlement.waiting.length > 0
        ? 'retry'
        : 'window';
    await this.#changed.wait();
  }

  #mayAuthorise(): boolean {
    const { leases } = this.#sender;
    const { retry } = this.#settlement;
    if (leases.length >= MAX_LEASES && !(retry.holdsOthersBack && retry.length > 0)) return false;
    return this.#o.provider.readyInMs() <= READY_WITHIN_MS;
  }

  #isDone(): boolean {
    const { retry, waiting, inFlight } = this.#settlement;
    return (
      inFlight === 0 &&
      this.#sender.leases.length === 0 &&
      retry.length === 0 &&
      waiting.length === 0 &&
      this.#chunks.exhausted &&
      this.#chunks.front.length === 0 &&
      this.#chunks.parked.size === 0
    );
  }

  async #collect(): Promise<Message[]> {
    const messages = await nextWindow(
      {
        user: this.#sender,
        settlement: this.#settlement,
        chunks: this.#chunks,
        sizer: this.#o.sizer,
        pacing: this.#o.pacing,
        store: this.#o.store,
      },
      this.#share!,
      this.#sender.leases.length >= MAX_LEASES,
    );
    for (const { order } of messages) {
      if (order >= this.#journal.authorisedTo) this.#journal.authorisedTo = order + 1;
    }
    return messages;
  }

  #putBack(messages: readonly Message[]): void {
    for (const message of messages) this.#settlement.putBack(message, false);
  }

  async #authorise(messages: readonly Message[], authorisedBefore: number): Promise<void> {
    const pace = await this.#reserve(segmentsOf(messages));
    if (!pace || this.#ending) return this.#putBack(messages);
    for (const { chunk, position, order } of messages) {
      if (chunk.outcomes.waitingAt(position)) this.#settlement.again.add(order);
    }
    const granted = await this.#intent();
    if (!granted || this.#ending) return this.#putBack(messages);
    const { notAfterMs } = this.#o;
    const limitMs =
      notAfterMs === null ? Number.POSITIVE_INFINITY : performance.now() + notAfterMs - Date.now();
    const validUntilMs = Math.min(granted.validUntilMs, limitMs);
    for (const lease of leasesOf(messages, authorisedBefore, validUntilMs, pace)) this.#sender.grant(lease);
  }

  /** Waits until the start is near enough to be journalled. undefined: ask again later. */
  async #reserve(segments: number) {
    this.#waitingFor = 'rate';
    const reserved = await this.#o.pacing.reserve(segments);
    if (!reserved.granted) {
      // Shorter than a hold may take to be noticed.
      await this.#changed.wait(Math.min(reserved.retryAfterMs, 250));
      return undefined;
    }
    const earlyMs = reserved.pace.startAtMs - performance.now() - LEAD_MS;
    if (earlyMs > 0) await sleep(earlyMs, this.#o.signal);
    return reserved.pace;
  }

  async #intent(): Promise<{ validUntilMs: number } | undefined> {
    this.#waitingFor = 'journal';
    const answer = await this.#journal.intent();
    if (answer.kind === 'granted') {
      this.#o.pacing.setBatchRate(answer.ratePerSecond);
      return answer;
    }
    this.#end(answer.kind === 'lost' ? { kind: 'lost' } : { kind: 'held' });
    return undefined;
  }

  #tick(): void {
    this.#sender.expire(performance.now());
    this.#flush.kick();
    this.#factors.sample(limitedBy(this.#o.provider, this.#sender, this.#waitingFor));
    this.#changed.wake();
  }

  #report(version: number, { counts, segments, resent }: Account): void {
    const factor = this.#factors.take();
    this.#o.onProgress({
      version,
      counts,
      segments,
      ...(resent > 0 && { resent }),
      ...(factor && { limitedBy: factor }),
    });
  }

  /** Nothing more is sent: the answers that are due, the last writes, the account. */
  async #finish(): Promise<TaskEnd> {
    const settlement = this.#settlement;
    while (settlement.inFlight > 0 && this.#ended().kind !== 'lost') {
      if (this.#failure) throw this.#failure.error;
      if (performance.now() > this.#leaveBy) break;
      await this.#changed.wait(TICK_MS);
    }
    if (this.#ended().kind === 'lost') return { kind: 'lost' };
    this.#recordUnsent();
    if (!(await this.#flush.all())) return { kind: 'lost' };
    this.#o.faults?.('close:before');
    if (settlement.inFlight > 0) {
      // A carrier that does not answer while we leave: the next holder finds these in doubt.
      this.#lose();
      return { kind: 'left' };
    }
    if (!(await this.#journal.close())) return { kind: 'lost' };
    const ending = this.#ended();
    if (ending.kind === 'left' || ending.kind === 'lost') return ending;
    return { ...ending, ...this.#journal.account() };
  }

  /** Of the last window, never begun, the authorisation is taken back; only where no answer is missing. */
  #recordUnsent(): void {
    const { retry, inFlight } = this.#settlement;
    const sentTo = Math.max(this.#sender.sentTo, this.#o.task.authorisedTo);
    const unsent = retry.take(Number.POSITIVE_INFINITY);
    recordUnsent(unsent, inFlight === 0 ? sentTo : Number.POSITIVE_INFINITY);
    if (inFlight === 0) this.#journal.authorisedTo = Math.min(this.#journal.authorisedTo, sentTo);
  }

  /** Changes while one waits; TypeScript would remember what it was before. */
  #ended(): Ending {
    return this.#ending ?? { kind: 'held' };
  }
}
