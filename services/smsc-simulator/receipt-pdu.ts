import { commandIds, headerLength, writeHeader } from '../../lib/smpp/pdu.ts';
import { tlvTable } from '../../lib/smpp/tlv.ts';
import type { ReceiptBehaviour, ReceiptState } from './behaviour.ts';

/** A receipt on its way to whoever is bound for the account. */
export interface ReceiptJob {
  /** Of the message that it is for: its recipient is the receipt's sender. */
  source: string;
  destination: string;
  messageId: string;
  state: ReceiptState;
  submittedAtMs: number;
  format: ReceiptBehaviour['format'];
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

/** Where this run's ids begin, so that those of two runs never meet: receipts of the first may still be on their way. */
export interface IdOrigin {
  prefix: string;
  first: number;
}

export function idOrigin(nowMs: number): IdOrigin {
  const second = Math.floor(nowMs / 1000);
  return { prefix: `${second.toString(36)}-`, first: second * 100_000 };
}

/** The id that the submit_sm_resp carries for message number `n`. */
export function answeredId(n: number, { prefix, first }: IdOrigin, ids: ReceiptBehaviour['ids']): string {
  switch (ids) {
    case 'same':
      return `${prefix}${n}`;
    case 'hexToDecimal':
    case 'upperCase':
      return (first + n).toString(16);
    case 'decimalToHex':
    case 'zeroPadded':
      return String(first + n);
  }
}

/** The id that the receipt carries for it. */
export function receiptedId(n: number, { prefix, first }: IdOrigin, ids: ReceiptBehaviour['ids']): string {
  switch (ids) {
    case 'same':
      return `${prefix}${n}`;
    case 'hexToDecimal':
      return String(first + n).padStart(10, '0');
    case 'decimalToHex':
      return (first + n).toString(16);
    case 'zeroPadded':
      return String(first + n).padStart(20, '0');
    case 'upperCase':
      return (first + n).toString(16).toUpperCase();
  }
}

/** Dates repeat from message to message, and making one costs more than the rest of the receipt. */
function createDateText(digits: number): (ms: number) => string {
  let lastSecond = -1;
  let text = '';
  return (ms) => {
    const second = Math.floor(ms / 1000);
    if (second !== lastSecond) {
      lastSecond = second;
      text = new Date(ms)
        .toISOString()
        .replace(/\D/g, '')
        .slice(2, 2 + digits);
    }
    return text;
  };
}

const submitDate = { 10: createDateText(10), 12: createDateText(12) };
const doneDate = { 10: createDateText(10), 12: createDateText(12) };

function unusualText(job: ReceiptJob, nowMs: number): string {
  switch (job.format) {
    case 'csvAndTlv':
      return `${job.messageId},${job.destination},${job.state},${new Date(nowMs).toISOString()}`;
    case 'oneWordDates': {
      const state = job.state === 'REJECTD' ? 'REJECTED' : job.state;
      const dates = `submitdate:${submitDate[12](job.submittedAtMs)} donedate:${doneDate[12](nowMs)}`;
      return `id:${job.messageId} ${dates} stat:${state} err:${errorOf(job.state)} text:`;
    }
    default:
      return '';
  }
}

const errorOf = (state: ReceiptState): string =>
  state === 'DELIVRD' || state === 'ACCEPTD' || state === 'ENROUTE' ? '000' : '034';

const tail = { state: '', submitted: '', done: '', octets: Buffer.alloc(0) };

/** What stands behind the id of the usual receipt: the same for thousands in a row. */
function tailOf({ state, submittedAtMs }: ReceiptJob, nowMs: number): Buffer {
  const submitted = submitDate[10](submittedAtMs);
  const done = doneDate[10](nowMs);
  if (state !== tail.state || submitted !== tail.submitted || done !== tail.done) {
    const delivered = state === 'DELIVRD' ? '001' : '000';
    const dates = `submit date:${submitted} done date:${done}`;
    const text = ` sub:001 dlvrd:${delivered} ${dates} stat:${state} err:${errorOf(state)} text:`;
    Object.assign(tail, { state, submitted, done, octets: Buffer.from(text, 'latin1') });
  }
  return tail.octets;
}

const scratch = Buffer.alloc(1024);

function putText(at: number, text: string): number {
  for (let i = 0; i < text.length; i++) scratch[at++] = text.charCodeAt(i);
  return at;
}

function putString(at: number, text: string): number {
  const end = putText(at, text);
  scratch[end] = 0;
  return end + 1;
}

function putShortMessage(at: number, job: ReceiptJob, nowMs: number): number {
  if (job.format !== 'text' && job.format !== 'both') {
    return at + scratch.write(unusualText(job, nowMs).slice(0, 254), at, 'latin1');
  }
  const behindId = putText(putText(at, 'id:'), job.messageId);
  const octets = tailOf(job, nowMs);
  scratch.set(octets, behindId);
  return behindId + octets.length;
}

/** The deliver_sm, with sequence number 0; valid until the next one. Written by hand: it goes out once a message. */
export function encodeReceipt(job: ReceiptJob, nowMs: number): Uint8Array {
  const final = job.state !== 'ENROUTE' && job.state !== 'ACCEPTD';
  scratch[headerLength] = 0; // service_type
  let at = headerLength + 1;
  scratch[at++] = 1;
  scratch[at++] = 1;
  at = putString(at, job.destination);
  scratch[at++] = 0;
  scratch[at++] = 0;
  at = putString(at, job.source);
  scratch[at++] = final ? 0x04 : 0x20;
  // protocol_id to sm_default_msg_id: eight bytes, all 0 or empty.
  for (const end = at + 8; at < end; at++) scratch[at] = 0;
  const text = at + 1;
  at = putShortMessage(text, job, nowMs);
  scratch[text - 1] = at - text;
  if (job.format !== 'text' && job.format !== 'oneWordDates') {
    scratch.writeUInt16BE(tlvTable.receipted_message_id.tag, at);
    scratch.writeUInt16BE(job.messageId.length + 1, at + 2);
    at = putString(at + 4, job.messageId);
    scratch.writeUInt16BE(tlvTable.message_state.tag, at);
    scratch.writeUInt16BE(1, at + 2);
    scratch[at + 4] = stateNumbers[job.state];
    at += 5;
  }
  writeHeader(scratch, 0, at, commandIds.deliver_sm, 0, 0);
  return scratch.subarray(0, at);
}
