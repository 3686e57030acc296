import { SmppEncodeError } from './errors.ts';
import { commandIds, headerLength, writeHeader } from './pdu.ts';
import { isSingleByte } from './single-byte.ts';
import { encodeTlvs, type Tlvs } from './tlv.ts';

export interface Address {
  readonly ton: number;
  readonly npi: number;
  readonly addr: string;
}

/**
 * One segment on its way out. Everything is copied when it is submitted, so the object and its buffer may be reused
 * for the next message. `source` is told apart by identity: give the same object for the same sender, never change it.
 */
export interface OutboundMessage {
  source: Address;
  /** Digits only. */
  destination: string;
  /** 1 (international) unless given. */
  destinationTon?: number;
  /** 1 (E.164) unless given. */
  destinationNpi?: number;
  /** At most 5 characters; empty unless given. */
  serviceType?: string;
  /** 0x40 set when `shortMessage` starts with a user data header. */
  esmClass: number;
  protocolId?: number;
  priorityFlag?: number;
  dataCoding: number;
  registeredDelivery: number;
  /** 16 characters, see times.ts; empty or absent is the SMSC's default. */
  validityPeriod?: string;
  shortMessage: Uint8Array;
  /** The part of `shortMessage` to send: from this offset (0) … */
  shortMessageStart?: number;
  /** … to this one (its length). At most 254 bytes; longer texts are parts or a message_payload. */
  shortMessageEnd?: number;
  tlvs?: Tlvs;
}

/** What a submit_sm takes at most, TLVs not counted: the fields' limits add up to 362. */
export const maxSubmitSmBytes = 512;

const copyBytes = Buffer.prototype.copy;

function invalid(field: string, value: unknown, expected: string): never {
  throw new SmppEncodeError('submit_sm', field, value, expected);
}

function checkByte(field: string, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value > 255) invalid(field, value, 'an integer from 0 to 255');
}

/** service_type and the source address are the same for a whole batch: checked and encoded once. */
function encodePrefix(serviceType: string, source: Address): Uint8Array {
  if (!isSingleByte(serviceType) || serviceType.length > 5) {
    invalid('service_type', serviceType, 'at most 5 single-byte characters');
  }
  if (!isSingleByte(source.addr) || source.addr.length > 20) {
    invalid('source_addr', source.addr, 'at most 20 single-byte characters, none of them NUL');
  }
  checkByte('source_addr_ton', source.ton);
  checkByte('source_addr_npi', source.npi);
  const head = Buffer.from(`${serviceType}\0`, 'latin1');
  return Buffer.concat([head, Buffer.of(source.ton, source.npi), Buffer.from(`${source.addr}\0`, 'latin1')]);
}

export type WriteSubmitSm = (
  out: Uint8Array,
  at: number,
  sequenceNumber: number,
  message: OutboundMessage,
) => number;

/**
 * The hot path. The function returned writes a submit_sm at `at` and returns the offset behind it; `out` needs
 * `maxSubmitSmBytes` of room there, plus the TLVs (`submitSmRoom`). On SmppEncodeError the bytes at `at` are garbage,
 * but nothing counts as written.
 */
export function createSubmitSmWriter(): WriteSubmitSm {
  let lastSource: Address | undefined;
  let lastServiceType = '';
  let prefix: Uint8Array = new Uint8Array(0);

  return (out, start, sequenceNumber, message) => {
    const serviceType = message.serviceType ?? '';
    if (message.source !== lastSource || serviceType !== lastServiceType) {
      prefix = encodePrefix(serviceType, message.source);
      lastSource = message.source;
      lastServiceType = serviceType;
    }
    let at = start + headerLength;
    for (let i = 0; i < prefix.length; i++) out[at++] = prefix[i]!;
    out[at++] = message.destinationTon ?? 1;
    out[at++] = message.destinationNpi ?? 1;
    const { destination } = message;
    const digits = destination.length;
    if (digits === 0 || digits > 20) invalid('destination_addr', destination, '1 to 20 characters');
    for (let i = 0; i < digits; i++) {
      const code = destination.charCodeAt(i);
      if (code < 0x20 || code > 0x7e) invalid('destination_addr', destination, 'printable ASCII');
      out[at++] = code;
    }
    out[at++] = 0;
    if (((message.esmClass | message.dataCoding | message.registeredDelivery) & ~0xff) !== 0) {
      checkByte('esm_class', message.esmClass);
      checkByte('data_coding', message.dataCoding);
      checkByte('registered_delivery', message.registeredDelivery);
    }
    out[at++] = message.esmClass;
    out[at++] = message.protocolId ?? 0;
    out[at++] = message.priorityFlag ?? 0;
    out[at++] = 0; // schedule_delivery_time: SMSCs ignore it or send at once, so it is never used
    const validity = message.validityPeriod;
    if (validity !== undefined && validity.length > 0) {
      if (validity.length !== 16)
        invalid('validity_period', validity, 'empty or 16 characters, YYMMDDhhmmsstnnp');
      for (let i = 0; i < 16; i++) out[at++] = validity.charCodeAt(i);
    }
    out[at++] = 0;
    out[at++] = message.registeredDelivery;
    out[at++] = 0; // replace_if_present_flag
    out[at++] = message.dataCoding;
    out[at++] = 0; // sm_default_msg_id
    const text = message.shortMessage;
    const from = message.shortMessageStart ?? 0;
    const to = message.shortMessageEnd ?? text.length;
    if (to - from > 254 || to < from || to > text.length) {
      invalid('short_message', `bytes ${from} to ${to} of ${text.length}`, 'at most 254 bytes');
    }
    out[at++] = to - from;
    // Measured for 81 bytes: set 16 ns, copy 25 ns, set of a subarray 60 ns, a loop 110 ns.
    if (to - from === text.length) out.set(text, at);
    else copyBytes.call(text, out, at, from, to);
    at += to - from;
    if (message.tlvs !== undefined) {
      const tlvs = encodeTlvs(message.tlvs);
      if (at + tlvs.length > out.length)
        invalid('tlvs', `${tlvs.length} bytes`, 'what was reserved for them');
      out.set(tlvs, at);
      at += tlvs.length;
    }
    writeHeader(out, start, at - start, commandIds.submit_sm, 0, sequenceNumber);
    return at;
  };
}

/** Bytes to reserve for a message. */
export function submitSmRoom(message: OutboundMessage): number {
  if (message.tlvs === undefined) return maxSubmitSmBytes;
  return maxSubmitSmBytes + encodeTlvs(message.tlvs).length;
}
