import { backoffMs } from '../lifecycle/backoff.ts';
import { encodeBind } from './bind-request.ts';
import { Link } from './link.ts';
import {
  type CloseReason,
  emptyCounters,
  type SessionCounters,
  type SessionHandlers,
  type SessionSettings,
  type SessionState,
  type SmppSessionOptions,
  sessionDefaults,
} from './session-options.ts';
import type { OutboundMessage } from './submit-sm.ts';

/** Wrong credentials: trying again quickly helps nobody, and locks accounts. */
const fatalBindStatuses: ReadonlySet<number> = new Set([0x0d, 0x0e, 0x0f, 0x53]);
/** A connection that lived this long was good: the next failure starts the back-off anew. */
const stableMs = 10_000;

/**
 * The ESME's session: keeps one bound connection to the SMSC, and comes back after every loss until it is stopped.
 * Callbacks instead of promises on the hot path. What is out when the connection is lost is reported, never re-sent.
 */
export class SmppSession<T> {
  readonly #settings: SessionSettings;
  readonly #handlers: SessionHandlers<T>;
  readonly counters: SessionCounters = emptyCounters();
  #state: SessionState = { kind: 'stopped' };
  #link: Link<T> | undefined;
  #attempt = 0;
  #boundAtMs = 0;
  #tickMs = 1000;
  #tickedAtMs = 0;
  #lastRefusal: number | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #running = false;
  #stopped: { promise: Promise<void>; resolve: () => void } | undefined;
  #boundWaiters: { resolve: () => void; reject: (error: Error) => void; timer: NodeJS.Timeout }[] = [];

  constructor(options: SmppSessionOptions, handlers: SessionHandlers<T>) {
    this.#settings = { ...sessionDefaults, ...options };
    this.#handlers = handlers;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Messages that `submit` takes now; 0 while unbound, while the window is full and while the socket is. */
  get room(): number {
    return this.#link === undefined ? 0 : this.#link.room;
  }

  /** Messages submitted and not reported yet. */
  get outstanding(): number {
    return this.#link?.outstanding ?? 0;
  }

  /**
   * Needs `room`. The message leaves with the others of this turn, unless performance.now() is past `notAfterMs`
   * immediately before the socket write. Throws SmppEncodeError for what cannot be encoded: it counts as never given.
   */
  submit(message: OutboundMessage, tag: T, notAfterMs = Number.POSITIVE_INFINITY): void {
    if (this.#link === undefined) throw new Error('no room: look at `room` before `submit`');
    this.#link.submit(message, tag, notAfterMs);
  }

  /** Takes back what has not been handed to the socket; each is reported as `notSent` before this returns. */
  cancelUnsent(): number {
    return this.#link?.cancelUnsent() ?? 0;
  }

  /** Throws SmppEncodeError for credentials that SMPP has no room for. */
  start(): void {
    if (this.#running) return;
    if (this.#link !== undefined) throw new Error('the session is still stopping: wait for stop() first');
    encodeBind(this.#settings, 1);
    this.#running = true;
    this.#stopped = undefined;
    this.#attempt = 0;
    const s = this.#settings;
    const shortest = Math.min(
      s.connectTimeoutMs,
      s.bindTimeoutMs,
      s.responseTimeoutMs,
      s.enquireLinkIntervalMs,
      s.enquireLinkTimeoutMs,
      s.unbindTimeoutMs,
    );
    this.#tickMs = Math.max(5, Math.min(1000, shortest / 4));
    this.#tickedAtMs = performance.now();
    this.#ticker = setInterval(() => this.#tick(), this.#tickMs);
    this.#connect();
  }

  /** Waits up to `drainMs` for the answers that are due, unbinds and closes. Safe to call twice. */
  stop(drainMs = 5_000): Promise<void> {
    if (!this.#running) return this.#stopped?.promise ?? Promise.resolve();
    this.#running = false;
    let resolve = (): void => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    this.#stopped = { promise, resolve };
    clearTimeout(this.#retry);
    if (this.#link === undefined) this.#finishStop();
    else this.#link.drain(performance.now() + drainMs);
    return promise;
  }

  /** Settles when the session is bound; rejects when it is not in time, or is stopped. */
  whenBound(timeoutMs: number): Promise<void> {
    if (this.#state.kind === 'bound') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#boundWaiters = this.#boundWaiters.filter((waiter) => waiter.timer !== timer);
        const { host, port } = this.#settings;
        reject(
          new Error(`not bound to ${host}:${port} within ${timeoutMs} ms (${JSON.stringify(this.#state)})`),
        );
      }, timeoutMs);
      this.#boundWaiters.push({ resolve, reject, timer });
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #tick(): void {
    const nowMs = performance.now();
    const lateMs = nowMs - this.#tickedAtMs - this.#tickMs;
    this.#tickedAtMs = nowMs;
    // The process stood still: answers may lie unread in the kernel, so nothing is late until they have been read.
    if (lateMs > Math.max(50, 2 * this.#tickMs)) return;
    if (this.#state.kind === 'bound' && nowMs - this.#boundAtMs > stableMs) this.#attempt = 0;
    this.#link?.tick(nowMs);
  }

  #connect(): void {
    this.counters.connects += 1;
    this.#lastRefusal = undefined;
    this.#set({ kind: 'connecting', attempt: this.#attempt });
    if (!this.#running) return; // stopped by the handler
    this.#link = new Link(
      this.#settings,
      this.#handlers,
      {
        onBound: (peerSystemId) => {
          this.#boundAtMs = performance.now();
          this.#set({ kind: 'bound', peerSystemId });
        },
        onBindRefused: (commandStatus) => {
          this.#lastRefusal = commandStatus;
          this.#set({ kind: 'bindRefused', commandStatus, fatal: fatalBindStatuses.has(commandStatus) });
        },
        onPeerUnbound: () => this.#set({ kind: 'unbound', by: 'peer' }),
        onClosed: (reason, detail) => this.#onClosed(reason, detail),
      },
      this.counters,
    );
  }

  #onClosed(reason: CloseReason, detail: string): void {
    this.#link = undefined;
    if (!this.#running) {
      this.#set({ kind: 'unbound', by: 'us' });
      this.#set({ kind: 'closed', reason, detail });
      this.#finishStop();
      return;
    }
    const { reconnectBaseMs, reconnectCapMs, refusedRetryMs, random } = this.#settings;
    const fatal = this.#lastRefusal !== undefined && fatalBindStatuses.has(this.#lastRefusal);
    const retryInMs = fatal
      ? refusedRetryMs
      : backoffMs(this.#attempt + 1, { firstMs: reconnectBaseMs, capMs: reconnectCapMs, random });
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.#connect(), retryInMs);
    this.#set({ kind: 'closed', reason, detail, retryInMs });
  }

  #finishStop(): void {
    clearInterval(this.#ticker);
    clearTimeout(this.#retry);
    this.#set({ kind: 'stopped' });
    this.#settleWaiters(new Error('the session was stopped'));
    this.#stopped?.resolve();
  }

  #settleWaiters(error?: Error): void {
    const waiters = this.#boundWaiters;
    this.#boundWaiters = [];
    for (const { resolve, reject, timer } of waiters) {
      clearTimeout(timer);
      if (error === undefined) resolve();
      else reject(error);
    }
  }

  #set(state: SessionState): void {
    this.#state = state;
    if (state.kind === 'bound') this.#settleWaiters();
    this.#handlers.onState?.(state);
  }
}
