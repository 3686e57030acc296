/** SMPP 3.4 commands (spec §5.1.2.1) and the header that all PDUs share. All integers are big-endian. */
export const commandIds = {
  generic_nack: 0x80000000,
  bind_receiver: 0x00000001,
  bind_receiver_resp: 0x80000001,
  bind_transmitter: 0x00000002,
  bind_transmitter_resp: 0x80000002,
  query_sm: 0x00000003,
  query_sm_resp: 0x80000003,
  submit_sm: 0x00000004,
  submit_sm_resp: 0x80000004,
  deliver_sm: 0x00000005,
  deliver_sm_resp: 0x80000005,
  unbind: 0x00000006,
  unbind_resp: 0x80000006,
  replace_sm: 0x00000007,
  replace_sm_resp: 0x80000007,
  cancel_sm: 0x00000008,
  cancel_sm_resp: 0x80000008,
  bind_transceiver: 0x00000009,
  bind_transceiver_resp: 0x80000009,
  outbind: 0x0000000b,
  enquire_link: 0x00000015,
  enquire_link_resp: 0x80000015,
  submit_multi: 0x00000021,
  submit_multi_resp: 0x80000021,
  alert_notification: 0x00000102,
  data_sm: 0x00000103,
  data_sm_resp: 0x80000103,
} as const;

export type CommandName = keyof typeof commandIds;

export const commandNames: ReadonlyMap<number, CommandName> = new Map(
  Object.entries(commandIds).map(([name, id]) => [id, name as CommandName]),
);

export const headerLength = 16;
export const maxSequenceNumber = 0x7fffffff;
/** A message_payload TLV of 64 KiB and the fields around it; longer is taken for hostile. */
export const defaultMaxPduBytes = 64 * 1024 + 1024;

export interface PduHeader {
  commandLength: number;
  commandId: number;
  commandStatus: number;
  sequenceNumber: number;
}

export function isResponse(commandId: number): boolean {
  return commandId >= 0x80000000;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Needs 16 bytes from `at` on. */
export function readHeader(bytes: Uint8Array, at = 0): PduHeader {
  return {
    commandLength: readUint32(bytes, at),
    commandId: readUint32(bytes, at + 4),
    commandStatus: readUint32(bytes, at + 8),
    sequenceNumber: readUint32(bytes, at + 12),
  };
}

/** Returns the offset behind the header. */
export function writeHeader(
  bytes: Uint8Array,
  at: number,
  commandLength: number,
  commandId: number,
  commandStatus: number,
  sequenceNumber: number,
): number {
  writeUint32(bytes, at, commandLength);
  writeUint32(bytes, at + 4, commandId);
  writeUint32(bytes, at + 8, commandStatus);
  writeUint32(bytes, at + 12, sequenceNumber);
  return at + headerLength;
}
