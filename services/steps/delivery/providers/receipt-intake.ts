import type { Logger } from 'pino';
import type { DeliveryReceipt, LateAnswer, ReceiptGroup } from '../../../../contracts/receipts.ts';
import { receiptSubject, STREAMS } from '../../../../contracts/subjects.ts';
import type { Publisher } from '../../../../lib/nats/publish.ts';

const MAX_GROUP = 500;
const LINGER_MS = 20;
/** Groups on their way to the stream; beyond, receipts wait, and with them the carrier. */
const MAX_PUBLISHING = 4;

export interface ReceiptIntake {
  /** `stored` is called once: true when the stream has it, false when it could not be stored: the carrier sends it again. */
  receipt(receipt: DeliveryReceipt, stored: (ok: boolean) => void): void;
  lateAnswer(answer: LateAnswer): void;
  /** Publishes what is there; resolves when nothing is on its way any more. */
  flush(): Promise<void>;
}

interface Group {
  receipts: DeliveryReceipt[];
  stored: ((ok: boolean) => void)[];
  lateAnswers: LateAnswer[];
}

const emptyGroup = (): Group => ({ receipts: [], stored: [], lateAnswers: [] });

/**
 * Receipts and late answers of one provider, in groups to `sms.receipt.<provider>`: at most 500, or what came in 20 ms.
 * Nothing is dropped: what cannot be stored stays unanswered, and unanswered receipts stop the reading of the session.
 */
export function receiptIntake(options: {
  provider: string;
  publisher: Publisher;
  /** Of this process: makes message ids unique. */
  id: string;
  log: Logger;
}): ReceiptIntake {
  const { provider, publisher, id, log } = options;
  let group = emptyGroup();
  let timer: NodeJS.Timeout | undefined;
  let count = 0;
  const publishing = new Set<Promise<void>>();

  const size = () => group.receipts.length + group.lateAnswers.length;

  function added(): void {
    if (size() >= MAX_GROUP && publishing.size < MAX_PUBLISHING) send();
    else timer ??= setTimeout(due, LINGER_MS);
  }

  function due(): void {
    timer = undefined;
    if (size() > 0 && publishing.size < MAX_PUBLISHING) send();
  }

  function send(): void {
    clearTimeout(timer);
    timer = undefined;
    const whole = group;
    group = emptyGroup();
    // A stall may have left more than one message's worth.
    for (let at = 0; at < Math.max(whole.receipts.length, whole.lateAnswers.length, 1); at += MAX_GROUP) {
      const part: Group = {
        receipts: whole.receipts.slice(at, at + MAX_GROUP),
        stored: whole.stored.slice(at, at + MAX_GROUP),
        lateAnswers: whole.lateAnswers.slice(at, at + MAX_GROUP),
      };
      const done: Promise<void> = publish(part).finally(() => {
        publishing.delete(done);
        if (size() > 0) added();
      });
      publishing.add(done);
    }
  }

  async function publish(part: Group): Promise<void> {
    count += 1;
    const body: ReceiptGroup = {
      provider,
      ...(part.receipts.length > 0 && { receipts: part.receipts }),
      ...(part.lateAnswers.length > 0 && { lateAnswers: part.lateAnswers }),
    };
    try {
      const result = await publisher.publish({
        subject: receiptSubject(provider),
        stream: STREAMS.receipts,
        body,
        msgId: `${id}.${provider}.${count}`,
        deadlineMs: 20_000,
      });
      const ok = result.kind === 'stored' || result.kind === 'duplicate';
      if (!ok) log.error({ provider, result, receipts: part.receipts.length }, 'receipts were not stored');
      for (const stored of part.stored) stored(ok);
    } catch (err) {
      log.error({ err, provider, receipts: part.receipts.length }, 'receipts were not stored');
      // Late answers have nobody who would send them again.
      group.lateAnswers.push(...part.lateAnswers);
      for (const stored of part.stored) stored(false);
    }
  }

  return {
    receipt(receipt, stored) {
      group.receipts.push(receipt);
      group.stored.push(stored);
      added();
    },
    lateAnswer(answer) {
      group.lateAnswers.push(answer);
      added();
    },
    async flush() {
      if (size() > 0) send();
      while (publishing.size > 0) await Promise.all(publishing);
    },
  };
}
