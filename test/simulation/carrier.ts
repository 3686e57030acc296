import type { ReceiptState } from '../../contracts/receipts.ts';
import type { Refusal } from '../../services/steps/delivery/providers/provider.ts';
import type { ReceiptIntake } from '../../services/steps/delivery/providers/receipt-intake.ts';
import type { Recipient } from './recipients.ts';
import type { Host, Timeline } from './timeline.ts';

/** One part that reached the carrier. */
export interface Submission {
  atMs: number;
  part: number;
  /** `taken`: the carrier has it, whether or not it says so. */
  verdict: 'taken' | 'refused';
  messageId: string;
}

/** How the carrier behaves; shares of submissions, all 0 once the world heals. */
export interface Manners {
  silent: number;
  late: number;
  throttled: number;
  transient: number;
  unreachable: number;
  /** The connection breaks: answers on their way are lost. */
  breaks: number;
  /** Everyone would be refused. */
  wrongSender: number;
  /** Receipts that never come. */
  noReceipt: number;
}

export const GOOD_MANNERS: Manners = {
  silent: 0,
  late: 0,
  throttled: 0,
  transient: 0,
  unreachable: 0,
  breaks: 0,
  wrongSender: 0,
  noReceipt: 0,
};

export type Answer =
  | { kind: 'accepted'; messageId: string }
  | { kind: 'refused'; refusal: Refusal }
  | { kind: 'silence' }
  | { kind: 'broken' };

const refusal = (kind: Refusal['class'], code: string): Answer => ({
  kind: 'refused',
  refusal: { class: kind, code, text: kind },
});

/** The carrier and its ledger: what truly happened, recipient by recipient. */
export class Carrier {
  manners: Manners = GOOD_MANNERS;
  readonly ledger = new Map<Recipient, Submission[]>();
  /** Receipts that were stored by somebody of ours, by recipient and part. */
  readonly told = new Map<Recipient, Set<number>>();
  /** Looks at each part as it comes in. */
  onSubmit: (recipient: Recipient, part: number, late: boolean) => void = () => {};
  readonly #timeline: Timeline;
  readonly #byPhone = new Map<string, Recipient>();
  /** Processes that are bound: receipts come over any of them. */
  readonly #bound: { host: Host; intake: ReceiptIntake }[] = [];
  #lastId = 0;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  know(recipients: readonly Recipient[]): void {
    for (const recipient of recipients) this.#byPhone.set(recipient.phone, recipient);
  }

  bind(host: Host, intake: ReceiptIntake): void {
    this.#bound.push({ host, intake });
  }

  submissionsOf(recipient: Recipient): readonly Submission[] {
    return this.ledger.get(recipient) ?? [];
  }

  hasTaken(recipient: Recipient): boolean {
    const taken = new Set<number>();
    for (const { part, verdict } of this.submissionsOf(recipient)) if (verdict === 'taken') taken.add(part);
    return recipient.parts > 0 && taken.size === recipient.parts;
  }

  hasSome(recipient: Recipient): boolean {
    return this.submissionsOf(recipient).some(({ verdict }) => verdict === 'taken');
  }

  /** @param late it was caught between the last check and the socket, in a process that stood still */
  submit(phone: string, part: number, late: boolean): Answer {
    const timeline = this.#timeline;
    const { manners } = this;
    const recipient = this.#byPhone.get(phone);
    if (!recipient) throw new Error(`nobody has the number ${phone}`);
    this.onSubmit(recipient, part, late);
    const luck = timeline.random();
    let below = 0;
    const falls = (share: number) => {
      below += share;
      return luck < below;
    };
    const enter = (verdict: Submission['verdict'], messageId = '') => {
      const submission = { atMs: timeline.nowMs, part, verdict, messageId };
      const known = this.ledger.get(recipient);
      if (known) known.push(submission);
      else this.ledger.set(recipient, [submission]);
    };
    const taken = (): string => {
      this.#lastId += 1;
      const messageId = (0xa000 + this.#lastId).toString(16);
      enter('taken', messageId);
      this.#plan(recipient, part, messageId);
      return messageId;
    };
    if (falls(manners.throttled)) {
      enter('refused');
      return refusal('throttled', '0x00000058');
    }
    if (falls(manners.transient)) {
      enter('refused');
      return refusal('transient', '0x00000008');
    }
    if (falls(manners.unreachable)) {
      enter('refused');
      return refusal('recipient', '0x0000000B');
    }
    if (falls(manners.wrongSender)) {
      enter('refused');
      return refusal('batch', '0x0000000A');
    }
    if (falls(manners.silent)) {
      taken();
      return { kind: 'silence' };
    }
    if (falls(manners.breaks)) {
      if (timeline.chance(0.5)) taken();
      else enter('refused');
      return { kind: 'broken' };
    }
    return { kind: 'accepted', messageId: taken() };
  }

  /** Before the answer, soon, late, doubled, or never. */
  #plan(recipient: Recipient, part: number, messageId: string): void {
    const timeline = this.#timeline;
    if (timeline.chance(this.manners.noReceipt)) return;
    const state: ReceiptState = timeline.chance(0.9) ? 'delivered' : 'undelivered';
    const soonMs = timeline.chance(0.2) ? 0 : timeline.between(100, timeline.chance(0.1) ? 60_000 : 4_000);
    const tell = (each: ReceiptState, ms: number) =>
      timeline.after(ms, () => this.#give(recipient, part, messageId, each));
    if (timeline.chance(0.1)) tell('enroute', soonMs * timeline.random() * 2);
    tell(state, soonMs);
    if (timeline.chance(0.1)) tell(state, soonMs + timeline.between(0, 5_000));
  }

  /** Until one of ours has it stored; one that dies with it in hand is not waited for. */
  #give(recipient: Recipient, part: number, messageId: string, state: ReceiptState): void {
    const timeline = this.#timeline;
    const again = () =>
      timeline.after(timeline.between(500, 3_000), () => this.#give(recipient, part, messageId, state));
    const up = this.#bound.filter(({ host }) => host.state === 'up');
    if (up.length === 0) {
      again();
      return;
    }
    const { host, intake } = timeline.pick(up);
    const msisdn = recipient.phone;
    const receipt = { messageId, msisdn, state, error: '', sender: 'shop', text: '', submitToDoneMs: 0 };
    let answered = false;
    const stored = (_ticket: number, ok: boolean) => {
      if (answered) return;
      answered = true;
      if (!ok) {
        again();
        return;
      }
      const parts = this.told.get(recipient) ?? new Set();
      if (state !== 'enroute') this.told.set(recipient, parts.add(part));
    };
    timeline.after(0, () => intake.receipt(receipt, { stored }, 0), host);
    timeline.after(8_000, () => {
      if (answered || host.state === 'up') return;
      answered = true;
      again();
    });
  }
}
