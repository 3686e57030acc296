import type { ReceiptState } from '../../../../../contracts/receipts.ts';
import { readLatin1 } from '../../../../../lib/smpp/latin1.ts';
import type { DeliverSm, MessageView } from '../../../../../lib/smpp/read-message.ts';
import { isReceipt, parseReceipt, quotedBy, type Receipt } from '../../../../../lib/smpp/receipt.ts';
import { UsualReceipt } from '../../../../../lib/smpp/usual-receipt.ts';
import type { ReceivedReceipt } from '../receipt-intake.ts';

const STATES: Readonly<Record<Receipt['state'], ReceiptState>> = {
  enroute: 'enroute',
  delivered: 'delivered',
  expired: 'expired',
  deleted: 'deleted',
  undeliverable: 'undelivered',
  accepted: 'accepted',
  unknown: 'unknown',
  rejected: 'rejected',
};

/** As contracts/receipts.ts has them. */
const LONGEST_ID = 128;
const LONGEST_MSISDN = 21;
const LONGEST_ERROR = 32;
const LONGEST_SENDER = 21;

const PLUS = 0x2b;
/** What carriers write where there is none. */
const NO_ERROR = /^0*$/;

const usual = new UsualReceipt();
/** Mostly the same as before. */
let lastSender = '';

/** The usual receipt, where it lies in the socket's buffer; undefined: it is another message, or an unusual receipt. */
export function receiptOfView(view: MessageView): ReceivedReceipt | undefined {
  // More digits than a number has are for the slow way.
  if (view.sourceEnd - view.sourceStart > LONGEST_MSISDN || !usual.read(view)) return undefined;
  const { messageId, state, networkError } = usual;
  if (messageId.length > LONGEST_ID || networkError.length > LONGEST_ERROR) return undefined;
  const plus = view.bytes[view.sourceStart] === PLUS ? 1 : 0;
  return {
    messageId,
    msisdn: readLatin1(view.bytes, view.sourceStart + plus, view.sourceEnd),
    state: STATES[state],
    error: networkError,
    sender: senderOf(view),
    text: usual.text,
    submitToDoneMs: usual.submitToDoneMs,
  };
}

function senderOf({ bytes, destinationStart, destinationEnd }: MessageView): string {
  const end = Math.min(destinationEnd, destinationStart + LONGEST_SENDER);
  let same = lastSender.length === end - destinationStart;
  for (let i = 0; same && i < lastSender.length; i++) {
    same = lastSender.charCodeAt(i) === bytes[destinationStart + i];
  }
  if (!same) lastSender = readLatin1(bytes, destinationStart, end);
  return lastSender;
}

/** The receipt in a deliver_sm; undefined for a text that a person wrote, and for what cannot be read. */
export function receiptOfDeliver(deliver: DeliverSm): ReceivedReceipt | undefined {
  if (!isReceipt(deliver)) return undefined;
  const receipt = parseReceipt(deliver);
  if (!receipt) return undefined;
  const { messageId, state, networkError = '' } = receipt;
  // Of a receipt the handset is the source: addresses are swapped.
  const msisdn = deliver.source.startsWith('+') ? deliver.source.slice(1) : deliver.source;
  return {
    messageId: messageId.slice(0, LONGEST_ID),
    msisdn: msisdn.slice(0, LONGEST_MSISDN),
    state: STATES[state],
    error: NO_ERROR.test(networkError) ? '' : networkError.slice(0, LONGEST_ERROR),
    sender: deliver.destination.slice(0, LONGEST_SENDER),
    ...quotedBy(deliver),
  };
}
