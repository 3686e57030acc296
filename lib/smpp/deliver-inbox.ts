import type { Socket } from 'node:net';
import type { Pdu } from './codec.ts';
import { SmppDecodeError } from './errors.ts';
import { commandIds, readUint32 } from './pdu.ts';
import {
  createMessageView,
  type DeliverSm,
  deliverSmOf,
  type MessageView,
  readMessage,
} from './read-message.ts';
import type { DeliverAnswers, SessionCounters } from './session-options.ts';
import { queueIdAnswer } from './short-pdus.ts';
import type { TurnWriter } from './turn-writer.ts';

const bindStatusInvalid = 0x04;
const permanentApplicationError = 0x65;

export type OnDeliver = (deliver: DeliverSm, respond: (commandStatus: number) => void) => void;

export type OnDeliverView = (view: MessageView, answers: DeliverAnswers) => boolean;

/** What the SMSC hands us, until it is answered. At the limit the socket is not read, so nothing is lost or forgotten. */
export class DeliverInbox implements DeliverAnswers {
  readonly #socket: Socket;
  readonly #writer: TurnWriter;
  readonly #counters: SessionCounters;
  readonly #onDeliver: OnDeliver | undefined;
  readonly #onView: OnDeliverView | undefined;
  readonly #limit: number;
  readonly #view = createMessageView();
  #unanswered = 0;

  constructor(
    socket: Socket,
    writer: TurnWriter,
    counters: SessionCounters,
    limit: number,
    onDeliver: OnDeliver | undefined,
    onView: OnDeliverView | undefined,
  ) {
    this.#socket = socket;
    this.#writer = writer;
    this.#counters = counters;
    this.#limit = limit;
    this.#onDeliver = onDeliver;
    this.#onView = onView;
  }

  deliverSm(bytes: Buffer, start: number, end: number): void {
    const sequence = readUint32(bytes, start + 12);
    let deliver: DeliverSm;
    try {
      readMessage(this.#view, bytes, start, end);
      if (this.#onView?.(this.#view, this)) {
        this.#counters.delivers += 1;
        this.#opened();
        return;
      }
      deliver = deliverSmOf(this.#view);
    } catch (error) {
      if (!(error instanceof SmppDecodeError)) throw error;
      // Refused for good: a temporary error would bring the same bytes back for ever.
      this.#counters.malformed += 1;
      queueIdAnswer(this.#writer, commandIds.deliver_sm_resp, permanentApplicationError, sequence, '');
      return;
    }
    this.#handOver(deliver, commandIds.deliver_sm_resp, sequence);
  }

  /** Before the bind is answered nothing is expected. */
  refuseUnbound(bytes: Buffer, start: number): void {
    const sequence = readUint32(bytes, start + 12);
    queueIdAnswer(this.#writer, commandIds.deliver_sm_resp, bindStatusInvalid, sequence, '');
  }

  dataSm(pdu: Pdu<'data_sm'>): void {
    const { body, tlvs } = pdu;
    const deliver: DeliverSm = {
      command: 'data_sm',
      sourceTon: body.source_addr_ton,
      sourceNpi: body.source_addr_npi,
      source: body.source_addr,
      destinationTon: body.dest_addr_ton,
      destinationNpi: body.dest_addr_npi,
      destination: body.destination_addr,
      esmClass: body.esm_class,
      protocolId: 0,
      dataCoding: body.data_coding,
      shortMessage: tlvs.message_payload ?? new Uint8Array(0),
      tlvs,
    };
    this.#handOver(deliver, commandIds.data_sm_resp, pdu.sequenceNumber);
  }

  #handOver(deliver: DeliverSm, responseId: number, sequence: number): void {
    this.#counters.delivers += 1;
    if (this.#onDeliver === undefined) {
      queueIdAnswer(this.#writer, responseId, 0, sequence, '');
      return;
    }
    this.#opened();
    let done = false;
    this.#onDeliver(deliver, (commandStatus) => {
      if (done) return;
      done = true;
      this.#close(responseId, sequence, commandStatus);
    });
  }

  answer(sequenceNumber: number, commandStatus: number): void {
    this.#close(commandIds.deliver_sm_resp, sequenceNumber, commandStatus);
  }

  #opened(): void {
    this.#unanswered += 1;
    if (this.#unanswered >= this.#limit) this.#socket.pause();
  }

  #close(responseId: number, sequence: number, commandStatus: number): void {
    this.#unanswered -= 1;
    if (this.#socket.destroyed) return; // the peer sends it again
    queueIdAnswer(this.#writer, responseId, commandStatus, sequence, '');
    if (this.#unanswered <= this.#limit / 2 && this.#socket.isPaused()) this.#socket.resume();
  }
}
