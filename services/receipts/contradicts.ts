import type { DeliveryReceipt } from '../../contracts/receipts.ts';

/** What we know of a message whose id we do not know. */
export interface SentMessage {
  /** Undefined: the account's own. */
  sender: string | undefined;
  text: string;
  /** Not sent before, ms since 1970. */
  sentFromMs: number;
}

/** Clocks of hosts differ: a receipt may seem older than the sending. */
const CLOCK_SLACK_MS = 60_000;
/** Many dates have minutes only. */
const DATE_STEP_MS = 60_000;
const HOUR_MS = 3_600_000;
/** The least by which a clock is ever put forward: Lord Howe's summer time. */
const SMALLEST_CLOCK_CHANGE_MS = 1_800_000;

/** Fewer letters and digits than this may be a placeholder of the carrier's. */
const FEWEST_LETTERS = 6;
const ASCII = /^[\x20-\x7e]*$/;
/** A text in UCS-2 may be quoted as its hexadecimal digits. */
const HEXADECIMAL = /^[0-9a-f]*$/i;
const NUMBER = /^\+?[0-9]+$/;

/**
 * Whether a receipt to the message's number cannot be the message's own: sent by another sender, quoting another text, or of
 * a message that was submitted before this one was. Whatever may be the carrier's own way of writing contradicts nothing.
 */
export const contradicts = (receipt: DeliveryReceipt, sent: SentMessage): boolean =>
  isEarlier(receipt, sent.sentFromMs) ||
  isOtherSender(receipt.sender ?? '', sent.sender ?? '') ||
  isOtherText(receipt.text ?? '', sent.text);

/**
 * A receipt may come long after its message, never before it. The carrier's dates have no zone and its clock may be wrong, but
 * the time between the two is right; a clock change between them makes it at most an hour too long.
 */
function isEarlier({ atMs, submitToDoneMs = 0 }: DeliveryReceipt, sentFromMs: number): boolean {
  const apartMs = submitToDoneMs < SMALLEST_CLOCK_CHANGE_MS ? submitToDoneMs : submitToDoneMs - HOUR_MS;
  const submittedByMs = atMs - Math.max(0, apartMs - DATE_STEP_MS);
  return submittedByMs < sentFromMs - CLOCK_SLACK_MS;
}

/** Carriers put a number for a name and the reverse, cut names, and write numbers with more or less in front. */
function isOtherSender(received: string, own: string): boolean {
  if (received === '' || own === '' || NUMBER.test(received) !== NUMBER.test(own)) return false;
  const [a, b] = [received, own].map((each) => each.replace(/^(\+|00)/, '').toLowerCase()) as [
    string,
    string,
  ];
  if (NUMBER.test(own)) return !(a.endsWith(b) || b.endsWith(a));
  return !(a.startsWith(b) || b.startsWith(a));
}

/** Only what every alphabet writes alike is compared. */
function isOtherText(quoted: string, own: string): boolean {
  if (!ASCII.test(quoted) || !ASCII.test(own.replaceAll(/[\r\n]/g, ' '))) return false;
  const letters = lettersOf(quoted);
  if (letters.length < FEWEST_LETTERS || HEXADECIMAL.test(letters)) return false;
  // Anywhere: each part of a long message quotes its own beginning.
  return !lettersOf(own).includes(letters);
}

const lettersOf = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
