import { SmppDecodeError, SmppEncodeError } from './errors.ts';
import { type Destination, type Field, layouts, type PduBody, type Unsuccessful } from './layout.ts';
import { type CommandName, commandIds, commandNames, headerLength, isResponse, readHeader } from './pdu.ts';
import { isSingleByte } from './single-byte.ts';
import { decodeTlvs, encodeTlvs, type Tlvs } from './tlv.ts';

export interface Pdu<C extends CommandName = CommandName> {
  command: C;
  commandStatus: number;
  sequenceNumber: number;
  body: PduBody<C>;
  tlvs: Tlvs;
}

/** Every PDU, told apart by `command`. */
export type AnyPdu = { [C in CommandName]: Pdu<C> }[CommandName];

export interface PduInput<C extends CommandName> {
  command: C;
  sequenceNumber: number;
  commandStatus?: number;
  /** Left-out fields are 0 or empty. A response with a status other than 0 and no `body` is a bare header. */
  body?: Partial<PduBody<C>>;
  tlvs?: Tlvs;
}

export interface EncodeOptions {
  /** false: strings may be longer than the specification allows (providers issue passwords of over 8 characters). */
  checkLengths?: boolean;
}

const timeLength = 16;
const maxShortMessage = 254;
const maxDestinations = 254;

class ByteList {
  readonly parts: Buffer[] = [];
  readonly command: string;
  readonly checkLengths: boolean;

  constructor(command: string, checkLengths: boolean) {
    this.command = command;
    this.checkLengths = checkLengths;
  }

  int8(field: string, value: unknown): void {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 255) {
      throw new SmppEncodeError(this.command, field, value, 'an integer from 0 to 255');
    }
    this.parts.push(Buffer.of(value));
  }

  int32(field: string, value: unknown): void {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 0xffffffff) {
      throw new SmppEncodeError(this.command, field, value, 'an integer from 0 to 4294967295');
    }
    const out = Buffer.alloc(4);
    out.writeUInt32BE(value);
    this.parts.push(out);
  }

  cString(field: string, value: unknown, maxOctets: number): void {
    if (typeof value !== 'string' || !isSingleByte(value)) {
      throw new SmppEncodeError(this.command, field, value, 'single-byte characters, none of them NUL');
    }
    if (this.checkLengths && value.length >= maxOctets) {
      const expected = `at most ${maxOctets - 1} characters (it has ${value.length})`;
      throw new SmppEncodeError(this.command, field, value, expected);
    }
    this.parts.push(Buffer.from(`${value}\0`, 'latin1'));
  }

  field(name: string, field: Field, value: unknown): void {
    switch (field.kind) {
      case 'int8':
        this.int8(name, value ?? 0);
        return;
      case 'cString':
        this.cString(name, value ?? '', field.maxOctets);
        return;
      case 'time': {
        const text = value ?? '';
        if (text !== '' && !(typeof text === 'string' && text.length === timeLength)) {
          throw new SmppEncodeError(this.command, name, value, 'empty or 16 characters, YYMMDDhhmmsstnnp');
        }
        this.cString(name, text, timeLength + 1);
        return;
      }
      case 'shortMessage': {
        const bytes = value ?? new Uint8Array(0);
        if (!(bytes instanceof Uint8Array) || bytes.length > maxShortMessage) {
          const shown = bytes instanceof Uint8Array ? `${bytes.length} bytes` : bytes;
          throw new SmppEncodeError(this.command, name, shown, `at most ${maxShortMessage} bytes`);
        }
        this.parts.push(Buffer.of(bytes.length), Buffer.from(bytes));
        return;
      }
      case 'destinations':
        this.destinations(name, (value ?? []) as Destination[]);
        return;
      case 'unsuccessful':
        this.unsuccessful(name, (value ?? []) as Unsuccessful[]);
        return;
    }
  }

  destinations(name: string, list: Destination[]): void {
    if (list.length > maxDestinations) {
      throw new SmppEncodeError(this.command, name, `${list.length} addresses`, `at most ${maxDestinations}`);
    }
    this.int8(name, list.length);
    for (const one of list) {
      if ('dl_name' in one) {
        this.int8('dest_flag', 2);
        this.cString('dl_name', one.dl_name, 21);
      } else {
        this.int8('dest_flag', 1);
        this.int8('dest_addr_ton', one.dest_addr_ton);
        this.int8('dest_addr_npi', one.dest_addr_npi);
        this.cString('destination_addr', one.destination_addr, 21);
      }
    }
  }

  unsuccessful(name: string, list: Unsuccessful[]): void {
    this.int8(name, list.length);
    for (const one of list) {
      this.int8('dest_addr_ton', one.dest_addr_ton);
      this.int8('dest_addr_npi', one.dest_addr_npi);
      this.cString('destination_addr', one.destination_addr, 21);
      this.int32('error_status_code', one.error_status_code);
    }
  }
}

/** Throws SmppEncodeError, which names field, value and limit. */
export function encodePdu<C extends CommandName>(pdu: PduInput<C>, options: EncodeOptions = {}): Buffer {
  const { command, commandStatus = 0, sequenceNumber, tlvs } = pdu;
  const commandId = commandIds[command];
  const list = new ByteList(command, options.checkLengths ?? true);
  list.int32('command_id', commandId);
  list.int32('command_status', commandStatus);
  list.int32('sequence_number', sequenceNumber);
  const bare = commandStatus !== 0 && pdu.body === undefined && isResponse(commandId);
  if (!bare) {
    const body = (pdu.body ?? {}) as Record<string, unknown>;
    for (const [name, field] of Object.entries<Field>(layouts[command])) list.field(name, field, body[name]);
  }
  if (tlvs !== undefined) list.parts.push(encodeTlvs(tlvs));
  const out = Buffer.concat([Buffer.alloc(4), ...list.parts]);
  out.writeUInt32BE(out.length, 0);
  return out;
}

class ByteReader {
  readonly bytes: Buffer;
  readonly end: number;
  readonly command: string;
  at = headerLength;

  constructor(bytes: Buffer, end: number, command: string) {
    this.bytes = bytes;
    this.end = end;
    this.command = command;
  }

  int(field: string, length: 1 | 4): number {
    if (this.at + length > this.end) this.#short(field);
    const value = this.bytes.readUIntBE(this.at, length);
    this.at += length;
    return value;
  }

  /** Length limits are not checked here: peers send longer ids, and the PDU's own end bounds the read. */
  cString(field: string): string {
    if (this.at >= this.end) this.#short(field);
    let nul = this.at;
    while (nul < this.end && this.bytes[nul] !== 0) nul++;
    // Some SMSCs leave out the NUL of the last field; the end of the PDU ends it as well.
    const value = this.bytes.toString('latin1', this.at, nul);
    this.at = Math.min(nul + 1, this.end);
    return value;
  }

  field(name: string, field: Field): unknown {
    switch (field.kind) {
      case 'int8':
        return this.int(name, 1);
      case 'cString':
      case 'time':
        return this.cString(name);
      case 'shortMessage': {
        const length = this.int('sm_length', 1);
        if (this.at + length > this.end) this.#short(name);
        const value = Buffer.from(this.bytes.subarray(this.at, this.at + length));
        this.at += length;
        return value;
      }
      case 'destinations':
        return Array.from({ length: this.int('number_of_dests', 1) }, () => this.#destination());
      case 'unsuccessful':
        return Array.from({ length: this.int('no_unsuccess', 1) }, () => ({
          dest_addr_ton: this.int('dest_addr_ton', 1),
          dest_addr_npi: this.int('dest_addr_npi', 1),
          destination_addr: this.cString('destination_addr'),
          error_status_code: this.int('error_status_code', 4),
        }));
    }
  }

  #destination(): Destination {
    const flag = this.int('dest_flag', 1);
    if (flag === 2) return { dl_name: this.cString('dl_name') };
    if (flag !== 1) throw new SmppDecodeError(this.command, 'dest_flag', flag, '1 or 2', 0x40);
    return {
      dest_addr_ton: this.int('dest_addr_ton', 1),
      dest_addr_npi: this.int('dest_addr_npi', 1),
      destination_addr: this.cString('destination_addr'),
    };
  }

  #short(field: string): never {
    throw new SmppDecodeError(this.command, field, `cut off at byte ${this.end}`, 'a complete field');
  }
}

function emptyValue(field: Field): unknown {
  switch (field.kind) {
    case 'int8':
      return 0;
    case 'cString':
    case 'time':
      return '';
    case 'shortMessage':
      return Buffer.alloc(0);
    case 'destinations':
    case 'unsuccessful':
      return [];
  }
}

/**
 * Reads one complete PDU. Fields missing at the end of a *response* are empty (a refusal has no body, and some peers
 * answer 0 without a message_id); a request must be complete. Throws SmppDecodeError.
 */
export function decodePdu(bytes: Buffer): AnyPdu {
  if (bytes.length < headerLength) {
    throw new SmppDecodeError('PDU', 'command_length', bytes.length, 'at least 16 bytes');
  }
  const { commandLength, commandId, commandStatus, sequenceNumber } = readHeader(bytes);
  if (commandLength !== bytes.length) {
    throw new SmppDecodeError('PDU', 'command_length', commandLength, `${bytes.length}, the bytes at hand`);
  }
  const command = commandNames.get(commandId);
  if (command === undefined) {
    const shown = `0x${commandId.toString(16).padStart(8, '0')}`;
    throw new SmppDecodeError('PDU', 'command_id', shown, 'a command of SMPP 3.4', 0x03);
  }
  const reader = new ByteReader(bytes, bytes.length, command);
  const lenient = isResponse(commandId);
  const body: Record<string, unknown> = {};
  for (const [name, field] of Object.entries<Field>(layouts[command])) {
    body[name] = lenient && reader.at >= bytes.length ? emptyValue(field) : reader.field(name, field);
  }
  const tlvs = decodeTlvs(bytes, reader.at, bytes.length);
  return { command, commandStatus, sequenceNumber, body, tlvs } as AnyPdu;
}
