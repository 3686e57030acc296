import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type AnyPdu, decodePdu, encodePdu } from './codec.ts';
import { DeliverInbox } from './deliver-inbox.ts';
import { SmppDecodeError } from './errors.ts';
import { FrameReader } from './frames.ts';
import { OutboundQueue } from './outbound-queue.ts';
import { commandIds, isResponse, readUint32 } from './pdu.ts';
import { readAnswerId } from './read-message.ts';
import type {
  AnsweredAnswer,
  CloseReason,
  SessionCounters,
  SessionHandlers,
  SessionSettings,
} from './session-options.ts';
import { queueBare, queueIdAnswer } from './short-pdus.ts';
import type { OutboundMessage } from './submit-sm.ts';
import { TurnWriter } from './turn-writer.ts';
import { SubmitWindow, slotLate, slotSent } from './window.ts';

type Phase = 'connecting' | 'binding' | 'bound' | 'draining' | 'unbinding' | 'closed';

export interface LinkEvents {
  onBound(peerSystemId: string): void;
  onBindRefused(commandStatus: number): void;
  onPeerUnbound(): void;
  /** Once, after every message that was out has been reported. */
  onClosed(reason: CloseReason, detail: string): void;
}

const timedOut = { kind: 'noAnswer', reason: 'timeout' } as const;
const disconnected = { kind: 'noAnswer', reason: 'disconnected' } as const;
const bindStatusInvalid = 0x04;
const commandLengthInvalid = 0x02;
const commandIdInvalid = 0x03;
const unknownError = 0xff;

/** One connection of an ESME to an SMSC, from connect to close; never used again after that. */
export class Link<T> {
  readonly #settings: SessionSettings;
  readonly #handlers: SessionHandlers<T>;
  readonly #events: LinkEvents;
  readonly #counters: SessionCounters;
  readonly #socket: Socket;
  readonly #writer: TurnWriter;
  readonly #window: SubmitWindow<T>;
  readonly #queue: OutboundQueue<T>;
  readonly #frames: FrameReader;
  readonly #inbox: DeliverInbox;
  readonly #canSubmit: boolean;
  #phase: Phase = 'connecting';
  #deadlineMs: number;
  #enquireSequence = 0;
  #enquireDeadlineMs = 0;
  #frameCount = 0;
  #frameCountAtTick = 0;
  #lastReceivedMs = performance.now();
  #freed = false;
  #wasBusy = false;
  #closing: { reason: CloseReason; detail: string } | undefined;

  constructor(
    settings: SessionSettings,
    handlers: SessionHandlers<T>,
    events: LinkEvents,
    counters: SessionCounters,
  ) {
    this.#settings = settings;
    this.#handlers = handlers;
    this.#events = events;
    this.#counters = counters;
    this.#canSubmit = settings.bindType !== 'receiver';
    this.#window = new SubmitWindow(settings.window);
    this.#queue = new OutboundQueue(this.#window, handlers.mayWrite?.bind(handlers));
    this.#deadlineMs = performance.now() + settings.connectTimeoutMs;
    const { host, port, tls } = settings;
    this.#socket =
      tls === undefined
        ? connect({ host, port, noDelay: true, keepAlive: true })
        : connectTls({ ...tls, host, port });
    this.#socket.setNoDelay(true);
    this.#writer = new TurnWriter(
      this.#socket,
      () => this.#queue.release(this.#writer),
      () => this.#afterWrite(),
    );
    this.#inbox = new DeliverInbox(
      this.#socket,
      this.#writer,
      counters,
      settings.maxUnansweredDelivers,
      handlers.onDeliver?.bind(handlers),
    );
    this.#frames = new FrameReader(settings.maxPduBytes, {
      onFrame: (bytes, start, end) => this.#onFrame(bytes, start, end),
      onHostileLength: (length) => this.#onHostileLength(length),
    });
    this.#socket.once(tls === undefined ? 'connect' : 'secureConnect', () => this.#bind());
    this.#socket.on('data', (chunk: Buffer) => {
      this.#frames.push(chunk);
      this.#signalRoom();
    });
    this.#socket.on('error', (error) =>
      this.#note(this.#phase === 'connecting' ? 'connectFailed' : 'peerClosed', error.message),
    );
    this.#socket.once('end', () => this.close('peerClosed', 'the peer closed the connection'));
    this.#socket.once('close', () => this.#onClose());
  }

  get outstanding(): number {
    return this.#window.outstanding;
  }

  get room(): number {
    if (this.#phase !== 'bound' || !this.#canSubmit) return 0;
    if (this.#writer.busy || this.#writer.length >= this.#settings.maxBufferedBytes) return 0;
    return this.#window.size - this.#window.outstanding;
  }

  submit(message: OutboundMessage, tag: T, notAfterMs: number): void {
    if (this.room <= 0) throw new Error('no room: look at `room` before `submit`');
    this.#queue.push(this.#writer, message, tag, notAfterMs);
    this.#counters.submitted += 1;
  }

  cancelUnsent(): number {
    this.#queue.takeBack(this.#writer, Number.POSITIVE_INFINITY, 'cancelled');
    const count = this.#queue.takenBack.length;
    this.#reportTakenBack();
    return count;
  }

  /** Takes no more messages, waits for the answers that are due until `deadlineMs`, unbinds, closes. */
  drain(deadlineMs: number): void {
    if (this.#phase === 'closed') return;
    if (this.#phase !== 'bound') {
      this.close('stopped', 'stopped before it was bound');
      return;
    }
    this.cancelUnsent();
    this.#phase = 'draining';
    this.#deadlineMs = deadlineMs;
    if (this.#window.outstanding === 0) this.#unbind();
  }

  /** Destroys the connection; what is out is reported by the socket's close event. */
  close(reason: CloseReason, detail: string): void {
    this.#note(reason, detail);
    this.#frames.close();
    this.#socket.destroy();
  }

  /** Every deadline of the connection is looked at here, in bulk; the session calls it by a coarse timer. */
  tick(nowMs: number): void {
    if (this.#frameCount !== this.#frameCountAtTick) {
      this.#frameCountAtTick = this.#frameCount;
      this.#lastReceivedMs = nowMs;
    }
    // While we do not read, silence and missing answers are our own doing.
    if (this.#socket.isPaused()) this.#lastReceivedMs = nowMs;
    switch (this.#phase) {
      case 'connecting':
        if (nowMs >= this.#deadlineMs) this.close('connectTimeout', 'no connection in time');
        return;
      case 'binding':
        if (nowMs >= this.#deadlineMs) this.close('bindTimeout', 'no answer to the bind in time');
        return;
      case 'bound':
        this.#expireAnswers(nowMs);
        this.#enquire(nowMs);
        return;
      case 'draining':
        this.#expireAnswers(nowMs);
        if (this.#window.outstanding === 0 || nowMs >= this.#deadlineMs) this.#unbind();
        return;
      case 'unbinding':
        if (nowMs >= this.#deadlineMs) this.close('stopped', 'no answer to the unbind in time');
        return;
      case 'closed':
        return;
    }
  }

  #bind(): void {
    this.#phase = 'binding';
    this.#deadlineMs = performance.now() + this.#settings.bindTimeoutMs;
    this.#writer.append(encodeBind(this.#settings, this.#window.nextSequence()));
  }

  #unbind(): void {
    this.#phase = 'unbinding';
    this.#deadlineMs = performance.now() + this.#settings.unbindTimeoutMs;
    queueBare(this.#writer, commandIds.unbind, 0, this.#window.nextSequence());
  }

  #enquire(nowMs: number): void {
    if (this.#enquireSequence !== 0) {
      if (this.#lastReceivedMs > this.#enquireDeadlineMs - this.#settings.enquireLinkTimeoutMs) {
        this.#enquireSequence = 0; // anything from the peer shows that it is there
      } else if (nowMs >= this.#enquireDeadlineMs) {
        this.close('enquireLinkTimeout', 'the peer is silent, and does not answer enquire_link');
      }
      return;
    }
    if (nowMs - this.#lastReceivedMs < this.#settings.enquireLinkIntervalMs) return;
    this.#enquireSequence = this.#window.nextSequence();
    this.#enquireDeadlineMs = nowMs + this.#settings.enquireLinkTimeoutMs;
    queueBare(this.#writer, commandIds.enquire_link, 0, this.#enquireSequence);
  }

  #expireAnswers(nowMs: number): void {
    if (this.#window.outstanding === 0 || this.#socket.isPaused()) return;
    const slots = this.#window.sentBefore(nowMs - this.#settings.responseTimeoutMs);
    for (const slot of slots) {
      this.#counters.timedOut += 1;
      this.#freed = true;
      this.#handlers.onAnswer(this.#window.giveUp(slot), timedOut);
    }
    this.#signalRoom();
  }

  #onFrame(bytes: Buffer, start: number, end: number): void {
    this.#frameCount += 1;
    const commandId = readUint32(bytes, start + 4);
    if (commandId === commandIds.submit_sm_resp || commandId === commandIds.generic_nack) {
      this.#onAnswer(bytes, start, end, commandId);
      return;
    }
    if (commandId === commandIds.deliver_sm) {
      if (this.#phase === 'binding') this.#answerUnbound(bytes, start);
      else this.#inbox.deliverSm(bytes, start, end);
      return;
    }
    this.#onOther(bytes, start, end, commandId);
  }

  #onAnswer(bytes: Buffer, start: number, end: number, commandId: number): void {
    const slot = this.#window.find(readUint32(bytes, start + 12));
    if (slot < 0) {
      if (commandId === commandIds.generic_nack && this.#phase === 'binding') {
        this.#onBindAnswer(readUint32(bytes, start + 8) || unknownError, '');
        return;
      }
      this.#counters.strayAnswers += 1;
      return;
    }
    const commandStatus = readUint32(bytes, start + 8);
    // A nack with status 0 is still a refusal.
    const nacked = commandId === commandIds.generic_nack && commandStatus === 0;
    const answer: AnsweredAnswer = {
      kind: 'answered',
      commandStatus: nacked ? unknownError : commandStatus,
      messageId: commandId === commandIds.submit_sm_resp ? readAnswerId(bytes, start, end) : '',
    };
    const state = this.#window.states[slot];
    if (state === slotSent) {
      this.#freed = true;
      this.#counters.answered += 1;
      this.#handlers.onAnswer(this.#window.release(slot), answer);
    } else if (state === slotLate) {
      this.#counters.lateAnswers += 1;
      this.#handlers.onLateAnswer?.(this.#window.release(slot), answer);
    } else this.#counters.strayAnswers += 1; // the answer to a number that was never written
    if (this.#phase === 'draining' && this.#window.outstanding === 0) this.#unbind();
  }

  #answerUnbound(bytes: Buffer, start: number): void {
    const sequence = readUint32(bytes, start + 12);
    queueIdAnswer(this.#writer, commandIds.deliver_sm_resp, bindStatusInvalid, sequence, '');
  }

  #onOther(bytes: Buffer, start: number, end: number, commandId: number): void {
    const sequence = readUint32(bytes, start + 12);
    if (commandId === commandIds.enquire_link) {
      queueBare(this.#writer, commandIds.enquire_link_resp, 0, sequence);
      return;
    }
    if (commandId === commandIds.enquire_link_resp) {
      if (sequence !== this.#enquireSequence) this.#counters.strayAnswers += 1;
      this.#enquireSequence = 0;
      return;
    }
    let pdu: AnyPdu;
    try {
      pdu = decodePdu(bytes.subarray(start, end));
    } catch (error) {
      if (!(error instanceof SmppDecodeError)) throw error;
      if (error.commandStatus === commandIdInvalid) this.#counters.unknownCommands += 1;
      else this.#counters.malformed += 1;
      if (!isResponse(commandId))
        queueBare(this.#writer, commandIds.generic_nack, error.commandStatus, sequence);
      return;
    }
    switch (pdu.command) {
      case 'bind_transceiver_resp':
      case 'bind_transmitter_resp':
      case 'bind_receiver_resp':
        if (this.#phase === 'binding') this.#onBindAnswer(pdu.commandStatus, pdu.body.system_id);
        else this.#counters.strayAnswers += 1;
        return;
      case 'data_sm':
        this.#inbox.dataSm(pdu);
        return;
      case 'alert_notification':
        this.#handlers.onAlert?.(pdu); // it has no answer
        return;
      case 'unbind':
        this.#onPeerUnbind(sequence);
        return;
      case 'unbind_resp':
        if (this.#phase === 'unbinding') this.close('stopped', 'unbound');
        return;
      default:
        // Requests that only an SMSC takes, outbind on a connection that is ours, and answers to what we never ask.
        if (isResponse(commandId)) this.#counters.strayAnswers += 1;
        else {
          this.#counters.unknownCommands += 1;
          queueBare(this.#writer, commandIds.generic_nack, commandIdInvalid, sequence);
        }
    }
  }

  #onBindAnswer(commandStatus: number, peerSystemId: string): void {
    if (commandStatus !== 0) {
      this.#events.onBindRefused(commandStatus);
      this.close('bindRefused', `bind refused with 0x${commandStatus.toString(16).padStart(2, '0')}`);
      return;
    }
    this.#phase = 'bound';
    this.#events.onBound(peerSystemId);
    this.#freed = true;
  }

  #onPeerUnbind(sequence: number): void {
    this.#queue.takeBack(this.#writer, Number.POSITIVE_INFINITY, 'disconnected');
    this.#phase = 'unbinding';
    this.#deadlineMs = performance.now() + this.#settings.unbindTimeoutMs;
    this.#note('peerUnbound', 'the peer unbound');
    queueBare(this.#writer, commandIds.unbind_resp, 0, sequence);
    this.#writer.flush();
    this.#socket.end();
    this.#events.onPeerUnbound();
  }

  #onHostileLength(commandLength: number): void {
    this.#counters.malformed += 1;
    this.#note('hostileStream', `a PDU of ${commandLength} bytes was announced`);
    this.#queue.takeBack(this.#writer, Number.POSITIVE_INFINITY, 'disconnected');
    this.#phase = 'unbinding';
    this.#deadlineMs = performance.now() + this.#settings.unbindTimeoutMs;
    queueBare(this.#writer, commandIds.generic_nack, commandLengthInvalid, 0);
    this.#writer.flush();
    this.#socket.destroySoon();
  }

  #afterWrite(): void {
    this.#reportTakenBack();
    if (this.#writer.busy) this.#wasBusy = true;
    else if (this.#wasBusy) {
      this.#wasBusy = false;
      this.#freed = true;
    }
    this.#signalRoom();
  }

  #reportTakenBack(): void {
    if (this.#queue.takenBack.length === 0) return;
    const list = this.#queue.takenBack;
    this.#queue.takenBack = [];
    this.#freed = true;
    this.#counters.notSent += list.length;
    for (const { tag, answer } of list) this.#handlers.onAnswer(tag, answer);
  }

  #signalRoom(): void {
    if (!this.#freed) return;
    this.#freed = false;
    if (this.#phase === 'bound') this.#handlers.onRoom?.();
  }

  #note(reason: CloseReason, detail: string): void {
    this.#closing ??= { reason, detail };
  }

  #onClose(): void {
    this.#phase = 'closed';
    this.#frames.close();
    this.#queue.takeBack(this.#writer, Number.POSITIVE_INFINITY, 'disconnected');
    this.#reportTakenBack();
    for (const slot of this.#window.sentBefore(Number.POSITIVE_INFINITY)) {
      this.#handlers.onAnswer(this.#window.release(slot), disconnected);
    }
    const { reason, detail } = this.#closing ?? {
      reason: 'peerClosed' as const,
      detail: 'the connection closed',
    };
    this.#events.onClosed(reason, detail);
  }
}

/** Throws SmppEncodeError for credentials that do not fit. */
export function encodeBind(settings: SessionSettings, sequenceNumber: number): Buffer {
  return encodePdu(
    {
      command: `bind_${settings.bindType}`,
      sequenceNumber,
      body: {
        system_id: settings.systemId,
        password: settings.password,
        system_type: settings.systemType,
        interface_version: 0x34,
        addr_ton: settings.addressTon,
        addr_npi: settings.addressNpi,
        address_range: settings.addressRange,
      },
    },
    { checkLengths: settings.checkCredentialLengths },
  );
}
