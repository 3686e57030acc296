import type { Socket } from 'node:net';
import { type AnyPdu, decodePdu, encodePdu, type PduInput } from './codec.ts';
import { SmppDecodeError } from './errors.ts';
import { FrameReader } from './frames.ts';
import {
  type CommandName,
  commandIds,
  defaultMaxPduBytes,
  isResponse,
  readUint32,
  writeUint32,
} from './pdu.ts';
import { createMessageView, type MessageView, readMessage } from './read-message.ts';
import type { BindType } from './session-options.ts';
import { queueBare, queueIdAnswer } from './short-pdus.ts';
import { TurnWriter } from './turn-writer.ts';
import { SubmitWindow, slotSent } from './window.ts';

export interface BindRequest {
  bindType: BindType;
  systemId: string;
  password: string;
  systemType: string;
}

export type DeliverAnswer =
  | { readonly kind: 'answered'; readonly commandStatus: number }
  | { readonly kind: 'noAnswer'; readonly reason: 'timeout' | 'disconnected' };

export interface ServerSessionHandlers<D> {
  /** Returns the command_status; 0 binds. */
  onBind(request: BindRequest): number;
  /**
   * `view` is only valid during the call. Answer it, at once or later, by `answerSubmit(view.sequenceNumber, …)`, or
   * never.
   */
  onSubmit(view: MessageView): void;
  /** What became of a deliver_sm. */
  onDeliverAnswer?(tag: D, answer: DeliverAnswer): void;
  onDeliverRoom?(): void;
  /** query_sm, cancel_sm, replace_sm, submit_multi, data_sm; without it they are refused as unknown. */
  onRequest?(pdu: AnyPdu): void;
  onUnbind?(): void;
  onClosed?(): void;
}

export interface ServerSessionOptions {
  systemId?: string;
  maxPduBytes?: number;
  /** deliver_sm without an answer, at most. */
  deliverWindow?: number;
  deliverTimeoutMs?: number;
  /** Bytes of answers that wait for the socket at which reading stops. */
  maxBufferedBytes?: number;
}

const statuses = { invalidLength: 0x02, invalidCommand: 0x03, bindStatus: 0x04, alreadyBound: 0x05 } as const;
const timedOut = { kind: 'noAnswer', reason: 'timeout' } as const;
const disconnected = { kind: 'noAnswer', reason: 'disconnected' } as const;
const emptyId = '';

/** The SMSC's side of one connection. It takes an accepted socket, and is done when that closes. */
export class ServerSession<D> {
  readonly #socket: Socket;
  readonly #handlers: ServerSessionHandlers<D>;
  readonly #options: Required<ServerSessionOptions>;
  readonly #writer: TurnWriter;
  readonly #frames: FrameReader;
  readonly #view = createMessageView();
  readonly #delivers: SubmitWindow<D>;
  readonly #sweeper: NodeJS.Timeout;
  #bound: BindRequest | undefined;
  #closed = false;
  malformed = 0;

  constructor(socket: Socket, handlers: ServerSessionHandlers<D>, options: ServerSessionOptions = {}) {
    this.#socket = socket;
    this.#handlers = handlers;
    this.#options = {
      systemId: 'SMSC',
      maxPduBytes: defaultMaxPduBytes,
      deliverWindow: 100,
      deliverTimeoutMs: 30_000,
      maxBufferedBytes: 4 * 1024 * 1024,
      ...options,
    };
    this.#delivers = new SubmitWindow(this.#options.deliverWindow);
    socket.setNoDelay(true);
    this.#writer = new TurnWriter(
      socket,
      () => {},
      () => this.#afterWrite(),
      64 * 1024,
    );
    this.#frames = new FrameReader(this.#options.maxPduBytes, {
      onFrame: (bytes, start, end) => this.#onFrame(bytes, start, end),
      onHostileLength: () => this.#onHostileLength(),
    });
    socket.on('data', (chunk: Buffer) => {
      this.#frames.push(chunk);
      if (this.#writer.length > this.#options.maxBufferedBytes) socket.pause();
    });
    socket.on('error', () => {});
    socket.once('end', () => this.close());
    socket.once('close', () => this.#onClose());
    this.#sweeper = setInterval(
      () => this.#sweep(),
      Math.max(5, Math.min(1000, this.#options.deliverTimeoutMs / 4)),
    );
    this.#sweeper.unref();
  }

  /** How it is bound; undefined before and after. */
  get bound(): BindRequest | undefined {
    return this.#closed ? undefined : this.#bound;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** deliver_sm that may be sent now. */
  get deliverRoom(): number {
    if (this.#closed || this.#bound === undefined || this.#bound.bindType === 'transmitter') return 0;
    if (this.#writer.length > this.#options.maxBufferedBytes) return 0;
    return this.#delivers.size - this.#delivers.outstanding;
  }

  answerSubmit(sequenceNumber: number, commandStatus: number, messageId: string): void {
    if (!this.#closed)
      queueIdAnswer(this.#writer, commandIds.submit_sm_resp, commandStatus, sequenceNumber, messageId);
  }

  /** Any PDU, as an answer to `onRequest` or to provoke the peer. */
  send<C extends CommandName>(pdu: PduInput<C>): void {
    if (!this.#closed) this.#writer.append(encodePdu(pdu, { checkLengths: false }));
  }

  /** Raw bytes, whatever they are. */
  sendRaw(bytes: Uint8Array): void {
    if (!this.#closed) this.#writer.append(bytes);
  }

  /** Needs `deliverRoom`. */
  deliver(pdu: Omit<PduInput<'deliver_sm'>, 'command' | 'sequenceNumber'>, tag: D): void {
    const bytes = encodePdu({ ...pdu, command: 'deliver_sm', sequenceNumber: 0 }, { checkLengths: false });
    this.deliverEncoded(bytes, tag);
  }

  /** Needs `deliverRoom`. A deliver_sm made before; its sequence number is set here. */
  deliverEncoded(pdu: Uint8Array, tag: D): void {
    if (this.deliverRoom <= 0) throw new Error('no room: look at `deliverRoom` before `deliver`');
    const sequence = this.#delivers.peek();
    const { length: start } = this.#writer;
    this.#writer.append(pdu);
    writeUint32(this.#writer.bytes, start + 12, sequence);
    const slot = this.#delivers.take(sequence, tag, 0);
    this.#delivers.states[slot] = slotSent;
    this.#delivers.sentAtMs[slot] = performance.now();
  }

  unbind(): void {
    if (!this.#closed) queueBare(this.#writer, commandIds.unbind, 0, this.#delivers.nextSequence());
  }

  enquireLink(): void {
    if (!this.#closed) queueBare(this.#writer, commandIds.enquire_link, 0, this.#delivers.nextSequence());
  }

  close(): void {
    this.#frames.close();
    this.#socket.destroy();
  }

  #onFrame(bytes: Buffer, start: number, end: number): void {
    const commandId = readUint32(bytes, start + 4);
    if (commandId === commandIds.submit_sm) this.#onSubmit(bytes, start, end);
    else if (commandId === commandIds.deliver_sm_resp) this.#onDeliverAnswer(bytes, start);
    else this.#onOther(bytes, start, end, commandId);
  }

  #onSubmit(bytes: Buffer, start: number, end: number): void {
    const sequence = readUint32(bytes, start + 12);
    if (this.#bound === undefined || this.#bound.bindType === 'receiver') {
      this.answerSubmit(sequence, statuses.bindStatus, emptyId);
      return;
    }
    try {
      readMessage(this.#view, bytes, start, end);
    } catch (error) {
      if (!(error instanceof SmppDecodeError)) throw error;
      this.malformed += 1;
      this.answerSubmit(sequence, error.commandStatus, emptyId);
      return;
    }
    this.#handlers.onSubmit(this.#view);
  }

  #onDeliverAnswer(bytes: Buffer, start: number): void {
    const slot = this.#delivers.find(readUint32(bytes, start + 12));
    if (slot < 0 || this.#delivers.states[slot] !== slotSent) return;
    const answer = { kind: 'answered', commandStatus: readUint32(bytes, start + 8) } as const;
    this.#handlers.onDeliverAnswer?.(this.#delivers.release(slot), answer);
    this.#handlers.onDeliverRoom?.();
  }

  #onOther(bytes: Buffer, start: number, end: number, commandId: number): void {
    const sequence = readUint32(bytes, start + 12);
    let pdu: AnyPdu;
    try {
      pdu = decodePdu(bytes.subarray(start, end));
    } catch (error) {
      if (!(error instanceof SmppDecodeError)) throw error;
      this.malformed += 1;
      if (!isResponse(commandId))
        queueBare(this.#writer, commandIds.generic_nack, error.commandStatus, sequence);
      return;
    }
    switch (pdu.command) {
      case 'bind_transceiver':
      case 'bind_transmitter':
      case 'bind_receiver':
        this.#onBind(pdu);
        return;
      case 'enquire_link':
        queueBare(this.#writer, commandIds.enquire_link_resp, 0, sequence);
        return;
      case 'unbind':
        queueBare(this.#writer, commandIds.unbind_resp, 0, sequence);
        this.#writer.flush();
        this.#socket.end();
        this.#handlers.onUnbind?.();
        return;
      case 'unbind_resp':
        this.#socket.end();
        return;
      default:
        if (isResponse(commandId)) return;
        if (this.#bound !== undefined && this.#handlers.onRequest !== undefined) {
          this.#handlers.onRequest(pdu);
          return;
        }
        queueBare(this.#writer, commandIds.generic_nack, statuses.invalidCommand, sequence);
    }
  }

  #onBind(pdu: Extract<AnyPdu, { command: `bind_${BindType}` }>): void {
    const request: BindRequest = {
      bindType: pdu.command.slice('bind_'.length) as BindType,
      systemId: pdu.body.system_id,
      password: pdu.body.password,
      systemType: pdu.body.system_type,
    };
    const commandStatus = this.#bound === undefined ? this.#handlers.onBind(request) : statuses.alreadyBound;
    if (commandStatus === 0) this.#bound = request;
    const { sequenceNumber } = pdu;
    if (commandStatus !== 0) this.send({ command: `${pdu.command}_resp`, sequenceNumber, commandStatus });
    else {
      const body = { system_id: this.#options.systemId };
      this.send({
        command: `${pdu.command}_resp`,
        sequenceNumber,
        body,
        tlvs: { sc_interface_version: 0x34 },
      });
      this.#handlers.onDeliverRoom?.();
    }
  }

  #onHostileLength(): void {
    this.malformed += 1;
    queueBare(this.#writer, commandIds.generic_nack, statuses.invalidLength, 0);
    this.#writer.flush();
    this.#socket.destroySoon();
  }

  #afterWrite(): void {
    if (this.#writer.length <= this.#options.maxBufferedBytes && this.#socket.isPaused())
      this.#socket.resume();
  }

  #sweep(): void {
    if (this.#delivers.outstanding === 0) return;
    for (const slot of this.#delivers.sentBefore(performance.now() - this.#options.deliverTimeoutMs)) {
      this.#handlers.onDeliverAnswer?.(this.#delivers.release(slot), timedOut);
    }
    this.#handlers.onDeliverRoom?.();
  }

  #onClose(): void {
    this.#closed = true;
    clearInterval(this.#sweeper);
    for (const slot of this.#delivers.sentBefore(Number.POSITIVE_INFINITY)) {
      this.#handlers.onDeliverAnswer?.(this.#delivers.release(slot), disconnected);
    }
    this.#handlers.onClosed?.();
  }
}
