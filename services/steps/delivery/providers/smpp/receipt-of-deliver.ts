import type { DeliveryReceipt, ReceiptState } from '../../../../../contracts/receipts.ts';
import type { DeliverSm } from '../../../../../lib/smpp/read-message.ts';
import { isReceipt, parseReceipt, type Receipt } from '../../../../../lib/smpp/receipt.ts';

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

/** message_state, by number. */
const STATE_OF_NUMBER: readonly (ReceiptState | undefined)[] = [
  undefined,
  'enroute',
  'delivered',
  'expired',
  'deleted',
  'undelivered',
  'accepted',
  'unknown',
  'rejected',
];

const STATE_OF_WORD: Readonly<Record<string, ReceiptState>> = {
  DELIVRD: 'delivered',
  EXPIRED: 'expired',
  DELETED: 'deleted',
  UNDELIV: 'undelivered',
  ACCEPTD: 'accepted',
  UNKNOWN: 'unknown',
  REJECTD: 'rejected',
  ENROUTE: 'enroute',
};

/** The text of SMPP 3.4's appendix B to the letter, as most carriers send it; anything else is parseReceipt's. */
const USUAL =
  /^id:(\S+) sub:\d+ dlvrd:\d+ submit date:\d+ done date:\d+ stat:([A-Z]+) err:([0-9A-Za-z]+)(?: text:|$)/;

interface Read {
  messageId: string;
  state: ReceiptState;
  error: string | undefined;
}

/**
 * The usual receipt, five times faster than any receipt: at full speed each message has one. A test holds it to
 * parseReceipt. undefined: not a usual one.
 */
export function readUsualReceipt(deliver: Pick<DeliverSm, 'shortMessage' | 'tlvs'>): Read | undefined {
  const { shortMessage, tlvs } = deliver;
  const text = Buffer.from(shortMessage.buffer, shortMessage.byteOffset, shortMessage.byteLength);
  const match = USUAL.exec(text.toString('latin1'));
  if (!match) return undefined;
  const number = tlvs.message_state;
  const state = number === undefined ? STATE_OF_WORD[match[2]!] : STATE_OF_NUMBER[number];
  if (state === undefined) return undefined;
  return { messageId: tlvs.receipted_message_id || match[1]!, state, error: match[3]! };
}

export function readAnyReceipt(deliver: DeliverSm): Read | undefined {
  const receipt = parseReceipt(deliver);
  return (
    receipt && { messageId: receipt.messageId, state: STATES[receipt.state], error: receipt.networkError }
  );
}

/** The receipt in a deliver_sm; undefined for a text that a person wrote, and for what cannot be read. */
export function receiptOfDeliver(deliver: DeliverSm, atMs: number): DeliveryReceipt | undefined {
  if (!isReceipt(deliver)) return undefined;
  const read = readUsualReceipt(deliver) ?? readAnyReceipt(deliver);
  if (!read) return undefined;
  const { messageId, state, error } = read;
  // Of a receipt the handset is the source: addresses are swapped.
  const msisdn = deliver.source.startsWith('+') ? deliver.source.slice(1) : deliver.source;
  const receipt: DeliveryReceipt = { messageId: cut(messageId, 128), msisdn: cut(msisdn, 21), state, atMs };
  if (error !== undefined) receipt.error = cut(error, 32);
  return receipt;
}

const cut = (text: string, length: number): string => (text.length > length ? text.slice(0, length) : text);
