import { encodePdu } from '../../lib/smpp/codec.ts';
import type { ReceiptBehaviour, ReceiptState } from './behaviour.ts';

/** A receipt on its way to whoever is bound for the account. */
export interface ReceiptJob {
  /** Of the message that it is for: its recipient is the receipt's sender. */
  source: string;
  destination: string;
  messageId: string;
  state: ReceiptState;
  submittedAtMs: number;
  /** Encoded at the first try, so that a change of behaviour does not change it later. */
  pdu: Buffer | undefined;
}

const stateNumbers: Readonly<Record<ReceiptState, number>> = {
  ENROUTE: 1,
  DELIVRD: 2,
  EXPIRED: 3,
  DELETED: 4,
  UNDELIV: 5,
  ACCEPTD: 6,
  UNKNOWN: 7,
  REJECTD: 8,
};

/** The id that the submit_sm_resp carries for message number `n`. */
export function answeredId(n: number, prefix: string, ids: ReceiptBehaviour['ids']): string {
  switch (ids) {
    case 'same':
      return `${prefix}${n}`;
    case 'hexToDecimal':
    case 'upperCase':
      return n.toString(16);
    case 'decimalToHex':
    case 'zeroPadded':
      return String(n);
  }
}

/** The id that the receipt carries for it. */
export function receiptedId(n: number, prefix: string, ids: ReceiptBehaviour['ids']): string {
  switch (ids) {
    case 'same':
      return `${prefix}${n}`;
    case 'hexToDecimal':
      return String(n).padStart(10, '0');
    case 'decimalToHex':
      return n.toString(16);
    case 'zeroPadded':
      return String(n).padStart(20, '0');
    case 'upperCase':
      return n.toString(16).toUpperCase();
  }
}

function date(ms: number, digits: number): string {
  return new Date(ms)
    .toISOString()
    .replace(/\D/g, '')
    .slice(2, 2 + digits);
}

function textOf(job: ReceiptJob, format: ReceiptBehaviour['format'], nowMs: number): string {
  const done = job.state === 'DELIVRD' ? '001' : '000';
  const error = job.state === 'DELIVRD' || job.state === 'ACCEPTD' || job.state === 'ENROUTE' ? '000' : '034';
  switch (format) {
    case 'tlv':
      return '';
    case 'csvAndTlv':
      return `${job.messageId},${job.destination},${job.state},${new Date(nowMs).toISOString()}`;
    case 'oneWordDates': {
      const state = job.state === 'REJECTD' ? 'REJECTED' : job.state;
      const dates = `submitdate:${date(job.submittedAtMs, 12)} donedate:${date(nowMs, 12)}`;
      return `id:${job.messageId} ${dates} stat:${state} err:${error} text:`;
    }
    case 'text':
    case 'both': {
      const dates = `submit date:${date(job.submittedAtMs, 10)} done date:${date(nowMs, 10)}`;
      return `id:${job.messageId} sub:001 dlvrd:${done} ${dates} stat:${job.state} err:${error} text:`;
    }
  }
}

/** The deliver_sm, with sequence number 0. */
export function encodeReceipt(job: ReceiptJob, format: ReceiptBehaviour['format'], nowMs: number): Buffer {
  const withTlvs = format !== 'text' && format !== 'oneWordDates';
  const final = job.state !== 'ENROUTE' && job.state !== 'ACCEPTD';
  return encodePdu(
    {
      command: 'deliver_sm',
      sequenceNumber: 0,
      body: {
        source_addr_ton: 1,
        source_addr_npi: 1,
        source_addr: job.destination,
        destination_addr: job.source,
        esm_class: final ? 0x04 : 0x20,
        short_message: Buffer.from(textOf(job, format, nowMs), 'latin1'),
      },
      tlvs: withTlvs ? { receipted_message_id: job.messageId, message_state: stateNumbers[job.state] } : {},
    },
    { checkLengths: false },
  );
}
