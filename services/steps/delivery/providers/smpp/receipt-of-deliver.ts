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

/** The receipt in a deliver_sm; undefined for a text that a person wrote, and for what cannot be read. */
export function receiptOfDeliver(deliver: DeliverSm, atMs: number): DeliveryReceipt | undefined {
  if (!isReceipt(deliver)) return undefined;
  const receipt = parseReceipt(deliver);
  if (!receipt) return undefined;
  return {
    messageId: receipt.messageId.slice(0, 128),
    // Of a receipt the handset is the source: addresses are swapped.
    msisdn: deliver.source.replace(/^\+/, '').slice(0, 21),
    state: STATES[receipt.state],
    ...(receipt.networkError === undefined ? {} : { error: receipt.networkError.slice(0, 32) }),
    atMs,
  };
}
