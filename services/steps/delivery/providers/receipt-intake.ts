import type { Logger } from 'pino';
import {
  type LateAnswer,
  RECEIPT_LETTERS,
  type ReceiptColumns,
  type ReceiptGroup,
  type ReceiptState,
} from '../../../../contracts/receipts.ts';
import { receiptSubject, STREAMS } from '../../../../contracts/subjects.ts';
import type { Publisher } from '../../../../lib/nats/publish.ts';

const MAX_GROUP = 4_000;
/** A group leaves when none has come for so long: a carrier with a small window waits for our answers. */
const QUIET_MS = 5;
/** Or at this age, while they keep coming. */
const LINGER_MS = 50;
/** Groups on their way to the stream; beyond, receipts wait, and with them the carrier. */
const MAX_PUBLISHING = 4;

export interface ReceivedReceipt {
  messageId: string;
  msisdn: string;
  state: ReceiptState;
  /** The network's code; '' = none. */
  error: string;
  /** What is known of the message beside its id, '' or undefined = nothing: for messages whose id is not known. */
  sender: string;
  text: string;
  submitToDoneMs: number | undefined;
}

/** Who gave a receipt, and answers the carrier. */
export interface ReceiptGiver {
  /** Called once a receipt: true when the stream has it, false when it could not be stored: the carrier sends it again. */
  stored(ticket: number, ok: boolean): void;
}

export interface ReceiptIntake {
  /** @param ticket whatever the giver knows the receipt by */
  receipt(receipt: ReceivedReceipt, giver: ReceiptGiver, ticket: number): void;
  lateAnswer(answer: LateAnswer): void;
  /** Publishes what is there; resolves when nothing is on its way any more. */
  flush(): Promise<void>;
}

/** Receipts as columns from the start: an object each would cost more than all the rest. */
interface Group {
  messageIds: string[];
  msisdns: string[];
  states: string[];
  errors: string[];
  hasErrors: boolean;
  senders: string[];
  texts: string[];
  submitToDoneMs: string[];
  /** When it was begun: ms since 1970, and performance.now(). */
  atMs: number;
  sinceMs: number;
  givers: ReceiptGiver[];
  tickets: number[];
  lateAnswers: LateAnswer[];
}

const emptyGroup = (): Group => ({
  messageIds: [],
  msisdns: [],
  states: [],
  errors: [],
  hasErrors: false,
  senders: [],
  texts: [],
  submitToDoneMs: [],
  atMs: 0,
  sinceMs: 0,
  givers: [],
  tickets: [],
  lateAnswers: [],
});

/** A stall may have left more than one message's worth. */
function* parts(group: Group): Generator<Group> {
  const size = Math.max(group.states.length, group.lateAnswers.length);
  if (size <= MAX_GROUP) {
    yield group;
    return;
  }
  for (let from = 0; from < size; from += MAX_GROUP) {
    const cut = <T>(list: readonly T[]): T[] => list.slice(from, from + MAX_GROUP);
    yield {
      messageIds: cut(group.messageIds),
      msisdns: cut(group.msisdns),
      states: cut(group.states),
      errors: cut(group.errors),
      hasErrors: group.hasErrors,
      senders: cut(group.senders),
      texts: cut(group.texts),
      submitToDoneMs: cut(group.submitToDoneMs),
      atMs: group.atMs,
      sinceMs: group.sinceMs,
      givers: cut(group.givers),
      tickets: cut(group.tickets),
      lateAnswers: cut(group.lateAnswers),
    };
  }
}

const columnsOf = (group: Group): ReceiptColumns => ({
  messageIds: group.messageIds.join('\n'),
  msisdns: group.msisdns.join('\n'),
  states: group.states.join(''),
  ...(group.hasErrors && { errors: group.errors.join('\n') }),
  ...column('senders', group.senders),
  ...column('texts', group.texts),
  ...column('submitToDoneMs', group.submitToDoneMs),
  atMs: group.atMs,
});

/** One line for all where they are the same, as they mostly are; none where there is nothing to say. */
function column(name: 'senders' | 'texts' | 'submitToDoneMs', values: readonly string[]) {
  const first = values[0]!;
  if (values.some((value) => value !== first)) return { [name]: values.join('\n') };
  return first === '' ? {} : { [name]: first };
}

const LINE_BREAK = /\n/g;
/** A line break would be a column's; no id or number of ours has one. */
const oneLine = (text: string): string => (text.includes('\n') ? text.replace(LINE_BREAK, ' ') : text);

/**
 * Receipts and late answers of one provider, in groups to `sms.receipt.<provider>`: at most 4,000, or what came in 50 ms.
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
  /** Of the group when it was last looked at. */
  let sizeBefore = 0;
  let count = 0;
  const publishing = new Set<Promise<void>>();

  const size = () => group.states.length + group.lateAnswers.length;

  function begin(): void {
    group.atMs = Date.now();
    group.sinceMs = performance.now();
  }

  function added(): void {
    if (size() >= MAX_GROUP && publishing.size < MAX_PUBLISHING) send();
    else timer ??= setTimeout(due, QUIET_MS);
  }

  function due(): void {
    timer = undefined;
    if (size() === 0 || publishing.size >= MAX_PUBLISHING) return;
    const quiet = size() === sizeBefore;
    sizeBefore = size();
    if (quiet || performance.now() - group.sinceMs >= LINGER_MS) send();
    else timer = setTimeout(due, QUIET_MS);
  }

  function send(): void {
    clearTimeout(timer);
    timer = undefined;
    const whole = group;
    group = emptyGroup();
    sizeBefore = 0;
    for (const part of parts(whole)) {
      const done: Promise<void> = publish(part).finally(() => {
        publishing.delete(done);
        if (size() > 0) added();
      });
      publishing.add(done);
    }
  }

  function answer({ givers, tickets }: Group, ok: boolean): void {
    for (let i = 0; i < givers.length; i++) givers[i]!.stored(tickets[i]!, ok);
  }

  async function publish(part: Group): Promise<void> {
    count += 1;
    const receipts = part.states.length;
    const body: ReceiptGroup = {
      provider,
      ...(receipts > 0 && { columns: columnsOf(part) }),
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
      if (!ok) log.error({ provider, result, receipts }, 'receipts were not stored');
      answer(part, ok);
    } catch (err) {
      log.error({ err, provider, receipts }, 'receipts were not stored');
      // Late answers have nobody who would send them again.
      group.lateAnswers.push(...part.lateAnswers);
      answer(part, false);
    }
  }

  return {
    receipt({ messageId, msisdn, state, error, sender, text, submitToDoneMs }, giver, ticket) {
      if (size() === 0) begin();
      group.messageIds.push(oneLine(messageId));
      group.msisdns.push(oneLine(msisdn));
      group.states.push(RECEIPT_LETTERS[state]);
      group.errors.push(oneLine(error));
      if (error !== '') group.hasErrors = true;
      group.senders.push(oneLine(sender));
      group.texts.push(oneLine(text));
      group.submitToDoneMs.push(submitToDoneMs === undefined ? '' : String(submitToDoneMs));
      group.givers.push(giver);
      group.tickets.push(ticket);
      added();
    },
    lateAnswer(answer) {
      if (size() === 0) begin();
      group.lateAnswers.push(answer);
      added();
    },
    async flush() {
      if (size() > 0) send();
      while (publishing.size > 0) await Promise.all(publishing);
    },
  };
}
