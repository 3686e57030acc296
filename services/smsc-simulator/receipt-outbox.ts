import type { DeliverAnswer, ServerSession } from '../../lib/smpp/server-session.ts';
import type { Behaviour } from './behaviour.ts';
import { DelayQueue } from './delay-queue.ts';
import { encodeReceipt, type ReceiptJob } from './receipt-pdu.ts';

const maxWaiting = 2_000_000;

/** The receipts of one account: sent over any of its binds that receives, again until answered with 0. */
export class ReceiptOutbox {
  readonly #behaviour: () => Behaviour;
  readonly #sessions = new Set<ServerSession<ReceiptJob>>();
  readonly #later = new DelayQueue<ReceiptJob>((job) => this.send(job));
  #waiting: ReceiptJob[] = [];
  #head = 0;
  sent = 0;
  answered = 0;
  dropped = 0;

  constructor(behaviour: () => Behaviour) {
    this.#behaviour = behaviour;
  }

  /** Not yet answered with 0. */
  get pending(): number {
    return this.#waiting.length - this.#head + this.#later.size;
  }

  attach(session: ServerSession<ReceiptJob>): void {
    this.#sessions.add(session);
  }

  detach(session: ServerSession<ReceiptJob>): void {
    this.#sessions.delete(session);
  }

  sendLater(job: ReceiptJob, delayMs: number): void {
    this.#later.push(job, delayMs);
  }

  send(job: ReceiptJob): void {
    if (this.#waiting.length - this.#head >= maxWaiting) {
      this.dropped += 1;
      return;
    }
    this.#waiting.push(job);
    this.pump();
  }

  onAnswer(job: ReceiptJob, answer: DeliverAnswer): void {
    if (answer.kind === 'answered' && answer.commandStatus === 0) this.answered += 1;
    else this.#later.push(job, this.#behaviour().receipts.retryMs);
  }

  pump(): void {
    if (this.#head === this.#waiting.length) return;
    const nowMs = Date.now();
    for (const session of this.#sessions) {
      for (let room = session.deliverRoom; room > 0 && this.#head < this.#waiting.length; room--) {
        const job = this.#waiting[this.#head]!;
        this.#waiting[this.#head++] = undefined as never;
        session.deliverEncoded(encodeReceipt(job, nowMs), job);
        this.sent += 1;
      }
    }
    if (this.#head > 10_000 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  clear(): void {
    this.#waiting = [];
    this.#head = 0;
    this.#later.clear();
    this.sent = 0;
    this.answered = 0;
    this.dropped = 0;
  }
}
