export type LivenessStep = 'quiet' | 'enquire' | 'waiting' | 'lost';

/** When to send enquire_link, and when to give the peer up. Pure arithmetic on the ticks of the session. */
export class Liveness {
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  #lastReceivedMs: number;
  #askedAtMs: number | undefined;
  #framesSeen = 0;

  constructor(intervalMs: number, timeoutMs: number, nowMs: number) {
    this.#intervalMs = intervalMs;
    this.#timeoutMs = timeoutMs;
    this.#lastReceivedMs = nowMs;
  }

  /** `frames`: PDUs received so far. While we do not read (`paused`), silence is our own doing. */
  tick(nowMs: number, frames: number, paused: boolean): LivenessStep {
    if (frames !== this.#framesSeen || paused) {
      this.#framesSeen = frames;
      this.#lastReceivedMs = nowMs;
      this.#askedAtMs = undefined; // any PDU shows that the peer is there
      return 'quiet';
    }
    if (this.#askedAtMs !== undefined) return nowMs - this.#askedAtMs >= this.#timeoutMs ? 'lost' : 'waiting';
    if (nowMs - this.#lastReceivedMs < this.#intervalMs) return 'quiet';
    this.#askedAtMs = nowMs;
    return 'enquire';
  }
}
