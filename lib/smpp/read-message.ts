import { SmppDecodeError } from './errors.ts';
import { readLatin1 } from './latin1.ts';
import { headerLength, readUint32 } from './pdu.ts';
import { decodeTlvs, type Tlvs } from './tlv.ts';

/**
 * Where the fields of a submit_sm or deliver_sm lie (the two have one layout). Reused for each PDU, so that reading
 * one makes no garbage: valid until the next read.
 */
export interface MessageView {
  bytes: Buffer;
  sequenceNumber: number;
  sourceTon: number;
  sourceNpi: number;
  sourceStart: number;
  /** Of the NUL. */
  sourceEnd: number;
  destinationTon: number;
  destinationNpi: number;
  destinationStart: number;
  destinationEnd: number;
  esmClass: number;
  protocolId: number;
  priorityFlag: number;
  validityStart: number;
  validityEnd: number;
  registeredDelivery: number;
  dataCoding: number;
  shortMessageStart: number;
  shortMessageEnd: number;
  tlvStart: number;
  end: number;
}

export function createMessageView(): MessageView {
  return {
    bytes: Buffer.alloc(0),
    sequenceNumber: 0,
    sourceTon: 0,
    sourceNpi: 0,
    sourceStart: 0,
    sourceEnd: 0,
    destinationTon: 0,
    destinationNpi: 0,
    destinationStart: 0,
    destinationEnd: 0,
    esmClass: 0,
    protocolId: 0,
    priorityFlag: 0,
    validityStart: 0,
    validityEnd: 0,
    registeredDelivery: 0,
    dataCoding: 0,
    shortMessageStart: 0,
    shortMessageEnd: 0,
    tlvStart: 0,
    end: 0,
  };
}

function cutOff(field: string, end: number): never {
  throw new SmppDecodeError('submit_sm or deliver_sm', field, `cut off at byte ${end}`, 'a complete field');
}

function skipString(bytes: Buffer, from: number, end: number, field: string): number {
  let at = from;
  while (at < end && bytes[at] !== 0) at++;
  if (at >= end) cutOff(field, end);
  return at;
}

/** Reads the PDU in bytes[start, end) into `view`. Throws SmppDecodeError where it is cut off. */
export function readMessage(view: MessageView, bytes: Buffer, start: number, end: number): void {
  view.bytes = bytes;
  view.end = end;
  view.sequenceNumber = readUint32(bytes, start + 12);
  let at = skipString(bytes, start + headerLength, end, 'service_type') + 1;
  view.sourceTon = bytes[at++]!;
  view.sourceNpi = bytes[at++]!;
  view.sourceStart = at;
  at = skipString(bytes, at, end, 'source_addr');
  view.sourceEnd = at++;
  view.destinationTon = bytes[at++]!;
  view.destinationNpi = bytes[at++]!;
  view.destinationStart = at;
  at = skipString(bytes, at, end, 'destination_addr');
  view.destinationEnd = at++;
  view.esmClass = bytes[at++]!;
  view.protocolId = bytes[at++]!;
  view.priorityFlag = bytes[at++]!;
  at = skipString(bytes, at, end, 'schedule_delivery_time') + 1;
  view.validityStart = at;
  at = skipString(bytes, at, end, 'validity_period');
  view.validityEnd = at++;
  if (at + 5 > end) cutOff('sm_length', end);
  view.registeredDelivery = bytes[at++]!;
  at++; // replace_if_present_flag
  view.dataCoding = bytes[at++]!;
  at++; // sm_default_msg_id
  const length = bytes[at++]!;
  if (at + length > end) cutOff('short_message', end);
  view.shortMessageStart = at;
  view.shortMessageEnd = at + length;
  view.tlvStart = at + length;
}

/** What came in by deliver_sm or data_sm: a receipt, or a text that a person wrote. It owns its bytes. */
export interface DeliverSm {
  command: 'deliver_sm' | 'data_sm';
  sourceTon: number;
  sourceNpi: number;
  source: string;
  destinationTon: number;
  destinationNpi: number;
  destination: string;
  /** 0x04 a receipt, 0x20 an intermediate one, 0x40 a user data header in front. */
  esmClass: number;
  protocolId: number;
  dataCoding: number;
  /** The short_message, or the message_payload where that is empty. */
  shortMessage: Uint8Array;
  tlvs: Tlvs;
}

const noTlvs: Tlvs = Object.freeze({});

export function deliverSmOf(view: MessageView): DeliverSm {
  const { bytes } = view;
  const tlvs = view.tlvStart < view.end ? decodeTlvs(bytes, view.tlvStart, view.end) : noTlvs;
  const inline = view.shortMessageEnd > view.shortMessageStart;
  return {
    command: 'deliver_sm',
    sourceTon: view.sourceTon,
    sourceNpi: view.sourceNpi,
    source: readLatin1(bytes, view.sourceStart, view.sourceEnd),
    destinationTon: view.destinationTon,
    destinationNpi: view.destinationNpi,
    destination: readLatin1(bytes, view.destinationStart, view.destinationEnd),
    esmClass: view.esmClass,
    protocolId: view.protocolId,
    dataCoding: view.dataCoding,
    shortMessage: inline
      ? Buffer.from(bytes.subarray(view.shortMessageStart, view.shortMessageEnd))
      : (tlvs.message_payload ?? new Uint8Array(0)),
    tlvs,
  };
}

/** The message_id of an answer in bytes[start, end); '' for an empty body. */
export function readAnswerId(bytes: Buffer, start: number, end: number): string {
  const from = start + headerLength;
  let nul = from;
  while (nul < end && bytes[nul] !== 0) nul++;
  return readLatin1(bytes, from, nul);
}
