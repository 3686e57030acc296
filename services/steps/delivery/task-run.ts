import { OUTCOME_LETTERS, type OutcomeCounts } from '../../../contracts/outcomes.ts';
import type { JournalEntry } from '../../../lib/journal/journal.ts';
import { IN_DOUBT_CODE, resolvedBy, resolveInDoubt } from '../../../lib/journal/resolve-in-doubt.ts';
import type { ChunkRange } from '../../../lib/journal/take-over.ts';
import { type WindowSizer, windowSizer } from '../../../lib/journal/window-size.ts';
import { sleep } from '../../../lib/lifecycle/sleep.ts';
import { place, type TaskDocument } from '../../../lib/store/task-document.ts';
import { type ChunkFlush, chunkFlush } from './chunk-flush.ts';
import { DeliveryChunk } from './delivery-chunk.ts';
import type { DeliveryStore } from './delivery-store.ts';
import type { FaultPoint, Faults } from './faults.ts';
import { leaseOf } from './lease.ts';
import { factorCounter, type LimitingFactor } from './limiting-factor.ts';
import { Message } from './message.ts';
import { OpenChunks } from './open-chunks.ts';
import type { Pacing } from './pacing.ts';
import type { Provider } from './providers/provider.ts';
import { type SenderOptions, TaskSender } from './task-sender.ts';
import { unstoredAnswers } from './unstored-answers.ts';
import { wakeable } from './wakeable.ts';
import type { WindowShare, WindowShares } from './window-shares.ts';

export interface TaskRunOptions {
  task: TaskDocument;
  range: ChunkRange;
  store: DeliveryStore;
  provider: Provider;
  pacing: Pacing;
  /** How much of this process's window is this task's. */
  shares: Pick<WindowShares, 'join'>;
  sender: Omit<SenderOptions, 'counts' | 'segments' | 'events'>;
  onInDoubt: 'hold' | 'resend';
  /** ms since 1970; null = none. */
  notAfterMs: number | null;
  signal: AbortSignal;
  onProgress(progress: {
    version: number;
    counts: OutcomeCounts;
    segments: number;
    limitedBy?: string;
  }): void;
  onLateAnswer: SenderOptions['events']['onLateAnswer'];
  faults?: Faults | undefined;
}

export interface Account {
  counts: OutcomeCounts;
  segments: number;
  resent: number;
}

export type TaskEnd =
  | ({ kind: 'done' } & Account)
  | ({ kind: 'held' | 'expired' } & Account)
  | ({ kind: 'stopped'; stop: { code: string; message: string } } & Account)
  | { kind: 'left' }
  | { kind: 'lost' };

type Ending =
  | { kind: 'done' | 'held' | 'expired' | 'left' | 'lost' }
  | { kind: 'stopped'; stop: { code: string; message: string } };

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
  readonly #sizer: WindowSizer = windowSizer();
  readonly #factors = factorCounter();
  readonly #changed = wakeable();
  #sender!: TaskSender;
  #share: WindowShare | undefined;
  #flush!: ChunkFlush;
  #authorisedTo: number;
  #ending: Ending | undefined;
  #failure: { error: unknown } | undefined;
  #waitingFor: LimitingFactor = 'journal';
  #lastIntentAt = Number.NEGATIVE_INFINITY;

  constructor(options: TaskRunOptions) {
    this.#o = options;
    this.#authorisedTo = options.task.authorisedTo;
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
    const leave = () => this.#end({ kind: 'left' });
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
      this.#sender.lose();
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

  #fault(point: FaultPoint): void {
    this.#o.faults?.(point);
  }

  #end(ending: Ending): void {
    // Another holder's take overrides every reason of ours.
    if (!this.#ending || ending.kind === 'lost') this.#ending = ending;
    if (ending.kind === 'lost') this.#sender?.lose();
    else this.#sender?.drain();
    this.#changed.wake();
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#changed.wake();
  }

  async #takeOver(): Promise<boolean> {
    const { store, onInDoubt, provider } = this.#o;
    const taken = await store.takeOver();
    const messages = await store.loadMessages(taken.left.map(({ index }) => index));
    const counts = { ...taken.counts };
    let { segments, resent } = taken;
    const nowMs = Date.now();
    const adopted: DeliveryChunk[] = [];
    taken.left.forEach(({ document, outcomes, inDoubt }, i) => {
      const chunk = new DeliveryChunk(messages[i]!, document, outcomes);
      chunk.resent += resolveInDoubt(outcomes, inDoubt, onInDoubt, nowMs).resent;
      if (inDoubt.length > 0) {
        // They may have been sent: receipts are to find them.
        chunk.sentFromMs ||= this.#o.task.progressAt;
        chunk.sentToMs = nowMs;
      }
      if (outcomes.hasFacts) chunk.unstoredSince = performance.now();
      for (const outcome of Object.keys(counts) as (keyof OutcomeCounts)[])
        counts[outcome] += outcomes.counts[outcome];
      segments += chunk.segments;
      resent += chunk.resent;
      adopted.push(chunk);
    });
    this.#sender = new TaskSender(
      {
        ...this.#o.sender,
        counts,
        segments,
        events: {
          onLeaseSent: (count, elapsedMs) => {
            this.#sizer.sent(count, elapsedMs);
            this.#changed.wake();
          },
          onQuiet: (chunk) => {
            if (chunk.quiet) this.#flush.kick();
          },
          onChange: () => this.#changed.wake(),
          onStop: (stop) => this.#end({ kind: 'stopped', stop }),
          onLateAnswer: this.#o.onLateAnswer,
        },
      },
      () => provider.wake(),
    );
    this.#sender.resent = resent;
    this.#sender.progressAt = this.#o.task.progressAt;
    this.#flush = chunkFlush({
      chunks: this.#chunks,
      provider: provider.account.name,
      write: (writes) => store.writeOutcomes(writes),
      fault: (point) => this.#fault(point),
      onStored: () => this.#changed.wake(),
      onLost: () => this.#end({ kind: 'lost' }),
      onFailed: (error) => this.#fail(error),
    });
    for (const chunk of adopted) {
      this.#chunks.adopt(chunk);
      for (const entry of chunk.outcomes.waiting) this.#sender.waiting.add({ chunk, entry });
    }
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
    if (performance.now() - this.#lastIntentAt >= LOOK_EVERY_MS && !(await this.#intent())) return;
    if (this.#mayAuthorise()) {
      const authorisedBefore = this.#authorisedTo;
      const messages = await this.#collect();
      if (this.#ending) return this.#putBack(messages);
      if (messages.length > 0) return this.#authorise(messages, authorisedBefore);
    }
    if (this.#isDone()) return this.#end({ kind: 'done' });
    if (sender.leases.length === 0 && this.#chunks.exhausted) this.#share!.pass();
    this.#waitingFor = this.#chunks.loading ? 'store' : sender.waiting.length > 0 ? 'retry' : 'window';
    await this.#changed.wait();
  }

  #mayAuthorise(): boolean {
    const { leases, retry } = this.#sender;
    if (leases.length >= MAX_LEASES && !(retry.holdsOthersBack && retry.length > 0)) return false;
    return this.#o.provider.readyInMs() <= READY_WITHIN_MS;
  }

  #isDone(): boolean {
    const { leases, retry, waiting, inFlight } = this.#sender;
    return (
      inFlight === 0 &&
      leases.length === 0 &&
      retry.length === 0 &&
      waiting.length === 0 &&
      this.#chunks.exhausted &&
      this.#chunks.front.length === 0 &&
      this.#chunks.parked.size === 0
    );
  }

  /** The next window: first what was held back, then what falls due, then what was never sent; in order. */
  async #collect(): Promise<Message[]> {
    const sender = this.#sender;
    const { fresh, again } = this.#share!;
    this.#sizer.limit(this.#o.pacing.perSecond());
    const size = Math.min(this.#sizer.size, again);
    const messages = sender.retry.take(size);
    // Throttled ones jump the queue; they must not bring a third window with them.
    if (sender.leases.length >= MAX_LEASES) return messages;
    if (sender.waiting.nextAtMs <= Date.now()) messages.push(...(await this.#due(size - messages.length)));
    if (messages.length >= size || sender.retry.length > 0) return messages;
    const chunk = fresh > 0 ? this.#chunks.current() : undefined;
    if (!chunk) return messages;
    const atMost = Math.min(size, fresh);
    for (let position = chunk.fresh(); position >= 0 && messages.length < atMost; position = chunk.fresh()) {
      const message = new Message(sender, chunk, position, chunk.segmentsAt(position));
      chunk.nextFresh = position + 1;
      chunk.out += 1;
      messages.push(message);
      this.#authorisedTo = message.order + 1;
    }
    return messages;
  }

  async #due(atMost: number): Promise<Message[]> {
    if (atMost <= 0) return [];
    const sender = this.#sender;
    const due = sender.waiting.takeDue(Date.now(), atMost);
    const doubtful = due.filter(
      ({ chunk, entry }) => chunk.outcomes.codeAt(entry.position) === IN_DOUBT_CODE,
    );
    const indexes = [...new Set(doubtful.map(({ chunk }) => chunk.index))];
    // Nobody gets it twice because the answer was lost and the receipt is there.
    const receipts = indexes.length > 0 ? await this.#o.store.receipts(indexes) : [];
    const receiptOf = new Map(receipts.map((each) => [each.index, each]));
    return due.flatMap(({ chunk, entry }) => {
      const message = new Message(sender, chunk, entry.position, chunk.segmentsAt(entry.position));
      message.attempts = entry.attempts;
      if (entry.parts) {
        const ids = chunk.outcomes.idsAt(entry.position).split(' ');
        const { parts } = entry;
        message.long = {
          plan: undefined,
          accepted: parts,
          submitted: parts,
          ids,
          refusal: undefined,
          unanswered: false,
          line: undefined,
        };
      }
      chunk.out += 1;
      const doubt = doubtful.some((each) => each.entry === entry);
      const known = doubt ? resolvedBy(receiptOf.get(chunk.index), entry.position) : undefined;
      if (!known) return [message];
      const letter = OUTCOME_LETTERS[known.outcome];
      sender.settleWaiting(message, letter, known.code ?? '', known.messageId);
      return [];
    });
  }

  #putBack(messages: readonly Message[]): void {
    for (const message of messages) this.#sender.retry.push(message, false);
  }

  async #authorise(messages: readonly Message[], authorisedBefore: number): Promise<void> {
    const sender = this.#sender;
    const pace = await this.#reserve(segmentsOf(messages));
    if (!pace || this.#ending) return this.#putBack(messages);
    for (const { chunk, position, order } of messages) {
      if (chunk.outcomes.waitingAt(position)) sender.again.add(order);
    }
    const granted = await this.#intent();
    if (!granted || this.#ending) return this.#putBack(messages);
    const { notAfterMs } = this.#o;
    const limitMs =
      notAfterMs === null ? Number.POSITIVE_INFINITY : performance.now() + notAfterMs - Date.now();
    const validUntilMs = Math.min(granted.validUntilMs, limitMs);
    // Two leases where old and new are mixed: each finds its own place among the others.
    const isNew = messages.findIndex(({ order }) => order >= authorisedBefore);
    const old = isNew < 0 ? messages : messages.slice(0, isNew);
    if (old.length > 0) sender.grant(leaseOf(old, validUntilMs, pace));
    if (old.length === messages.length) return;
    const startAtMs = pace.startAtMs + segmentsOf(old) * pace.msPerSegment;
    sender.grant(leaseOf(messages.slice(old.length), validUntilMs, { ...pace, startAtMs }));
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
    this.#lastIntentAt = performance.now();
    const entry = this.#entry();
    this.#fault('intent:before');
    const answering = this.#o.store.journal.intent(entry);
    this.#fault('intent:issued');
    const answer = await answering;
    this.#fault('intent:acknowledged');
    if (answer.kind === 'lost') {
      this.#end({ kind: 'lost' });
      return undefined;
    }
    if (answer.kind === 'hold') {
      this.#end({ kind: 'held' });
      return undefined;
    }
    this.#o.pacing.setBatchRate(answer.ratePerSecond);
    if (answer.withSums) this.#report(answer.version, entry);
    return answer;
  }

  #entry(): JournalEntry {
    const sender = this.#sender;
    const facts: TaskDocument['facts'] = [];
    for (const chunk of this.#chunks.all()) {
      const columns = chunk.outcomes.facts();
      if (columns) facts.push({ index: chunk.index, columns });
    }
    const first = this.#chunks.cursorChunk();
    const cursor = first === undefined ? this.#authorisedTo : Math.min(this.#authorisedTo, place(first, 0));
    return {
      cursor,
      authorisedTo: this.#authorisedTo,
      again: [...sender.again],
      facts,
      ...this.#account(),
      progressAt: sender.progressAt,
    };
  }

  #account(): Account {
    const { counts, segments, resent, inFlight } = this.#sender;
    return { counts: { ...counts, pending: counts.pending - inFlight, inFlight }, segments, resent };
  }

  #report(version: number, { counts, segments }: Account): void {
    const limitedBy = this.#factors.take();
    this.#o.onProgress({ version, counts, segments, ...(limitedBy && { limitedBy }) });
  }

  #tick(): void {
    const sender = this.#sender;
    sender.expire(performance.now());
    this.#flush.kick();
    this.#factors.sample(this.#limitedBy());
    this.#changed.wake();
  }

  #limitedBy(): LimitingFactor {
    const { provider } = this.#o;
    if (provider.throttled()) return 'throttled';
    if (provider.readyInMs() === Number.POSITIVE_INFINITY) return 'connection';
    if (this.#sender.leases.length === 0) return this.#waitingFor;
    return this.#sender.paced ? 'rate' : 'window';
  }

  /** Nothing more is sent: the answers that are due, the last writes, the account. */
  async #finish(): Promise<TaskEnd> {
    const sender = this.#sender;
    const leaveBy = performance.now() + LEAVE_WITHIN_MS;
    while (sender.inFlight > 0 && this.#ending!.kind !== 'lost') {
      if (this.#failure) throw this.#failure.error;
      if (this.#ending!.kind === 'left' && performance.now() > leaveBy) break;
      await this.#changed.wait(TICK_MS);
    }
    if (this.#ending!.kind === 'lost') return { kind: 'lost' };
    this.#recordUnsent();
    if (!(await this.#flush.all())) return { kind: 'lost' };
    this.#fault('close:before');
    if (sender.inFlight > 0) {
      // A carrier that does not answer while we leave: the next holder finds these in doubt.
      sender.lose();
      return { kind: 'left' };
    }
    const entry = this.#entry();
    if (
      !(await this.#o.store.journal.close({ ...entry, cursor: entry.authorisedTo, again: [], facts: [] }))
    ) {
      return { kind: 'lost' };
    }
    const ending = this.#ending!;
    const { version } = this.#o.store.journal;
    this.#report(version, entry);
    if (ending.kind === 'left' || ending.kind === 'lost') return { kind: ending.kind };
    return { ...ending, ...this.#account() };
  }

  /**
   * Authorised and certainly not sent: written down as such, so that they are not in doubt. Of the last window, never
   * begun, the authorisation is taken back.
   */
  #recordUnsent(): void {
    const sender = this.#sender;
    const sentTo = Math.max(sender.sentTo, this.#o.task.authorisedTo);
    for (const message of sender.retry.take(Number.POSITIVE_INFINITY)) {
      const { chunk, position, attempts, order } = message;
      chunk.out -= 1;
      if ((order >= sentTo && sender.inFlight === 0) || chunk.outcomes.waitingAt(position)) continue;
      const entry = { position, attempts, notBefore: 0, partsAccepted: 0, reference: 0 };
      chunk.outcomes.wait(entry, '', '');
    }
    if (sender.inFlight === 0) this.#authorisedTo = Math.min(this.#authorisedTo, sentTo);
  }
}

const segmentsOf = (messages: readonly Message[]): number =>
  messages.reduce((sum, message) => sum + message.parts, 0);
