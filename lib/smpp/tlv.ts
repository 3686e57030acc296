import { SmppEncodeError } from './errors.ts';
import { isSingleByte } from './single-byte.ts';

/** Optional parameters of SMPP 3.4 (§5.3.2). `repeats`: the specification allows it more than once in a PDU. */
interface TlvKind {
  readonly tag: number;
  readonly kind: 'int8' | 'int16' | 'int32' | 'cString' | 'bytes';
  readonly repeats?: true;
}

export const tlvTable = {
  dest_addr_subunit: { tag: 0x0005, kind: 'int8' },
  dest_network_type: { tag: 0x0006, kind: 'int8' },
  dest_bearer_type: { tag: 0x0007, kind: 'int8' },
  dest_telematics_id: { tag: 0x0008, kind: 'int16' },
  source_addr_subunit: { tag: 0x000d, kind: 'int8' },
  source_network_type: { tag: 0x000e, kind: 'int8' },
  source_bearer_type: { tag: 0x000f, kind: 'int8' },
  source_telematics_id: { tag: 0x0010, kind: 'int16' },
  qos_time_to_live: { tag: 0x0017, kind: 'int32' },
  payload_type: { tag: 0x0019, kind: 'int8' },
  additional_status_info_text: { tag: 0x001d, kind: 'cString' },
  receipted_message_id: { tag: 0x001e, kind: 'cString' },
  ms_msg_wait_facilities: { tag: 0x0030, kind: 'int8' },
  privacy_indicator: { tag: 0x0201, kind: 'int8' },
  source_subaddress: { tag: 0x0202, kind: 'bytes' },
  dest_subaddress: { tag: 0x0203, kind: 'bytes' },
  user_message_reference: { tag: 0x0204, kind: 'int16' },
  user_response_code: { tag: 0x0205, kind: 'int8' },
  source_port: { tag: 0x020a, kind: 'int16' },
  dest_port: { tag: 0x020b, kind: 'int16' },
  sar_msg_ref_num: { tag: 0x020c, kind: 'int16' },
  language_indicator: { tag: 0x020d, kind: 'int8' },
  sar_total_segments: { tag: 0x020e, kind: 'int8' },
  sar_segment_seqnum: { tag: 0x020f, kind: 'int8' },
  sc_interface_version: { tag: 0x0210, kind: 'int8' },
  callback_num_pres_ind: { tag: 0x0302, kind: 'int8', repeats: true },
  callback_num_atag: { tag: 0x0303, kind: 'bytes', repeats: true },
  number_of_messages: { tag: 0x0304, kind: 'int8' },
  callback_num: { tag: 0x0381, kind: 'bytes', repeats: true },
  dpf_result: { tag: 0x0420, kind: 'int8' },
  set_dpf: { tag: 0x0421, kind: 'int8' },
  ms_availability_status: { tag: 0x0422, kind: 'int8' },
  network_error_code: { tag: 0x0423, kind: 'bytes' },
  message_payload: { tag: 0x0424, kind: 'bytes' },
  delivery_failure_reason: { tag: 0x0425, kind: 'int8' },
  more_messages_to_send: { tag: 0x0426, kind: 'int8' },
  message_state: { tag: 0x0427, kind: 'int8' },
  ussd_service_op: { tag: 0x0501, kind: 'int8' },
  display_time: { tag: 0x1201, kind: 'int8' },
  sms_signal: { tag: 0x1203, kind: 'int16' },
  ms_validity: { tag: 0x1204, kind: 'bytes' },
  alert_on_message_delivery: { tag: 0x130c, kind: 'bytes' },
  its_reply_type: { tag: 0x1380, kind: 'int8' },
  its_session_info: { tag: 0x1383, kind: 'bytes' },
} as const satisfies Record<string, TlvKind>;

export type TlvName = keyof typeof tlvTable;
type One<K> = K extends 'cString' ? string : K extends 'bytes' ? Uint8Array : number;
type TlvValue<N extends TlvName> = (typeof tlvTable)[N] extends { repeats: true }
  ? One<(typeof tlvTable)[N]['kind']>[]
  : One<(typeof tlvTable)[N]['kind']>;

/** Known TLVs by name; what is unknown, or known but of another length than its type has, is kept raw. */
export type Tlvs = { [N in TlvName]?: TlvValue<N> } & { unknown?: { tag: number; value: Uint8Array }[] };

const nameByTag: ReadonlyMap<number, TlvName> = new Map(
  Object.entries(tlvTable).map(([name, { tag }]) => [tag, name as TlvName]),
);
const intLength = { int8: 1, int16: 2, int32: 4 } as const;

function encodeOne(name: TlvName, value: number | string | Uint8Array): Uint8Array {
  const { kind }: TlvKind = tlvTable[name];
  if (kind === 'bytes') {
    if (!(value instanceof Uint8Array) || value.length > 0xffff) {
      throw new SmppEncodeError('TLV', name, value, 'at most 65535 bytes');
    }
    return value;
  }
  if (kind === 'cString') {
    if (typeof value !== 'string' || value.length > 255 || !isSingleByte(value)) {
      throw new SmppEncodeError('TLV', name, value, 'at most 255 single-byte characters, none of them NUL');
    }
    return Buffer.from(`${value}\0`, 'latin1');
  }
  const length = intLength[kind];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= 2 ** (8 * length)) {
    throw new SmppEncodeError('TLV', name, value, `an integer of ${length} byte(s)`);
  }
  const out = Buffer.alloc(length);
  out.writeUIntBE(value, 0, length);
  return out;
}

export function encodeTlvs(tlvs: Tlvs): Buffer {
  const parts: Uint8Array[] = [];
  const add = (tag: number, value: Uint8Array): void => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(tag, 0);
    head.writeUInt16BE(value.length, 2);
    parts.push(head, value);
  };
  for (const [key, value] of Object.entries(tlvs)) {
    if (key === 'unknown' || value === undefined) continue;
    const name = key as TlvName;
    const entry = tlvTable[name];
    if (entry === undefined) throw new SmppEncodeError('TLV', key, value, 'a TLV of SMPP 3.4, or `unknown`');
    for (const one of Array.isArray(value) ? value : [value]) {
      add(entry.tag, encodeOne(name, one as number | string | Uint8Array));
    }
  }
  for (const { tag, value } of tlvs.unknown ?? []) {
    if (!(tag >= 0 && tag <= 0xffff)) throw new SmppEncodeError('TLV', 'tag', tag, '0 to 65535');
    if (value.length > 0xffff)
      throw new SmppEncodeError('TLV', `0x${tag.toString(16)}`, value.length, 'at most 65535 bytes');
    add(tag, value);
  }
  return Buffer.concat(parts);
}

/**
 * Reads TLVs until `end`. A last TLV that claims more than is there is dropped: the fields before it are still good.
 * Values are copied, so the read buffer may be reused.
 */
export function decodeTlvs(bytes: Buffer, from: number, end: number): Tlvs {
  const tlvs: Tlvs = {};
  for (let at = from; at + 4 <= end; ) {
    const tag = bytes.readUInt16BE(at);
    const length = bytes.readUInt16BE(at + 2);
    at += 4;
    if (at + length > end) break;
    const name = nameByTag.get(tag);
    const kind = name === undefined ? undefined : tlvTable[name].kind;
    let value: number | string | Uint8Array | undefined;
    if (kind === 'bytes') value = Buffer.from(bytes.subarray(at, at + length));
    else if (kind === 'cString') {
      const nul = bytes.subarray(at, at + length).indexOf(0);
      value = bytes.toString('latin1', at, nul < 0 ? at + length : at + nul);
    } else if (kind !== undefined && length === intLength[kind]) value = bytes.readUIntBE(at, length);
    if (name === undefined || value === undefined) {
      tlvs.unknown ??= [];
      tlvs.unknown.push({ tag, value: Buffer.from(bytes.subarray(at, at + length)) });
    } else {
      const record = tlvs as Record<string, unknown>;
      if (!('repeats' in tlvTable[name])) record[name] = value;
      else if (record[name] === undefined) record[name] = [value];
      else (record[name] as unknown[]).push(value);
    }
    at += length;
  }
  return tlvs;
}
