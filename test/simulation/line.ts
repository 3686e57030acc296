import { lineTurns } from '../../services/steps/delivery/providers/line-turns.ts';
import type {
  Line,
  OutboundPart,
  Provider,
  Refusal,
  Tag,
} from '../../services/steps/delivery/providers/provider.ts';
import { throttleControl } from '../../services/steps/delivery/providers/throttle-control.ts';
import type { Answer, Carrier } from './carrier.ts';
import type { Host, Timeline } from './timeline.ts';

/** An answer that has not come by then is given up. */
const RESPONSE_MS = 5_000;

export interface LineOptions {
  host: Host;
  timeline: Timeline;
  carrier: Carrier;
  window: number;
  /** Of each write: the process stands still between its last check and the socket. */
  catchAtSocket: () => boolean;
}

interface Written {
  tag: Tag;
  answered: boolean;
  phone: string;
  part: number;
  notAfterMs: number;
}

/** A process's connection to the carrier: what is written goes out even if the process dies behind it. */
export function simulatedProvider(options: LineOptions): Provider {
  const { host, timeline, carrier, window } = options;
  const control = throttleControl({ firstHoldMs: 50, maxHoldMs: 400, adapt: false });
  const out = new Set<Written>();
  /** Given to the line in this turn, and not written yet. */
  const turn: Written[] = [];
  const turns = lineTurns(() => [line], control);

  function reported(written: Written, report: () => void): void {
    if (written.answered) return;
    written.answered = true;
    out.delete(written);
    report();
    turns.offer(line);
  }

  function answered(written: Written, answer: Answer): void {
    const { tag } = written;
    switch (answer.kind) {
      case 'accepted':
        if (written.answered) tag.user.onLateAnswer(tag, { messageId: answer.messageId });
        else reported(written, () => tag.user.onAccepted(tag, answer.messageId));
        return;
      case 'refused':
        if (written.answered) tag.user.onLateAnswer(tag, { refusal: answer.refusal });
        else reported(written, () => refused(tag, answer.refusal));
        return;
      case 'silence':
        return;
      case 'broken':
        for (const each of [...out]) reported(each, () => each.tag.user.onUnanswered(each.tag));
    }
  }

  function refused(tag: Tag, refusal: Refusal): void {
    if (refusal.class === 'throttled') control.throttled(performance.now());
    tag.user.onRefused(tag, refusal);
  }

  const line: Line = {
    id: 0,
    get room() {
      return window - out.size;
    },
    submit(part: OutboundPart, tag: Tag, notAfterMs: number) {
      const written: Written = {
        tag,
        answered: false,
        phone: part.destination,
        part: part.hasUserDataHeader ? part.bytes[part.start + 5]! - 1 : 0,
        notAfterMs,
      };
      out.add(written);
      if (turn.push(written) === 1) queueMicrotask(flush);
    },
  };

  /** All parts of a turn are looked at once more, and go out in one write. */
  function flush(): void {
    const nowMs = performance.now();
    const written = turn.splice(0);
    const fresh = written.filter(({ notAfterMs }) => nowMs < notAfterMs);
    for (const each of written) {
      if (!fresh.includes(each))
        timeline.after(0, () => reported(each, () => each.tag.user.onNotSent(each.tag)), host);
    }
    if (fresh.length === 0) return;
    const caught = options.catchAtSocket();
    if (!caught) {
      for (const each of fresh) send(each, false);
      return;
    }
    timeline.freeze(host, timeline.between(1_000, 20_000));
    // It leaves when the process goes on.
    timeline.after(0, () => fresh.map((each) => send(each, true)), host);
  }

  function send(written: Written, late: boolean): void {
    const { phone, part, tag } = written;
    const answer = carrier.submit(phone, part, late);
    const isSlow = timeline.chance(carrier.manners.late);
    const ms = isSlow ? timeline.between(RESPONSE_MS, 3 * RESPONSE_MS) : timeline.between(1, 60);
    timeline.after(ms, () => answered(written, answer), host);
    timeline.after(RESPONSE_MS, () => reported(written, () => tag.user.onUnanswered(tag)), host);
  }

  return {
    account: { name: 'carrier', kind: 'memory', tps: null, window, reference: 'udh8', receipts: true },
    senderOf: () => ({ ton: 5, npi: 0, addr: 'shop' }),
    join: turns.join,
    leave: turns.leave,
    wake: turns.wake,
    readyInMs: () => Math.max(0, control.heldUntilMs() - performance.now()),
    throttled: () => false,
    trouble: () => undefined,
  };
}
