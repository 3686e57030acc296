import type { Socket } from 'node:net';
import { encodeBind } from './bind-request.ts';
import { type AnyPdu, decodePdu } from './codec.ts';
import { DeliverInbox } from './deliver-inbox.ts';
import { FrameReader } from './frames.ts';
import type { LinkEvents } from './link-events.ts';
import { Liveness } from './liveness.ts';
import { openSocket } from './open-socket.ts';
import { commandIds, readUint32 } from './pdu.ts';
import { refuseUnexpected, refuseUnreadable } from './refuse-pdu.ts';
import type { CloseReason, SessionCounters, SessionHandlers, SessionSettings } from './session-options.ts';
import { queueBare } from './short-pdus.ts';
import { SubmitLane } from './submit-lane.ts';
import type { OutboundMessage } from './submit-sm.ts';
import { TurnWriter } from './turn-writer.ts';

type Phase = 'connecting' | 'binding' | 'bound' | 'draining' | 'unbinding' | 'closed';

const commandLengthInvalid = 0x02;
const unknownError = 0xff;

/** One connection of an ESME to an SMSC, from connect to close; never used again after that. */
export class Link<T> {
  readonly #settings: SessionSettings;
  readonly #handlers: SessionHandlers<T>;
  readonly #events: LinkEvents;
  readonly #counters: SessionCounters;
  readonly #socket: Socket;
  readonly #writer: TurnWriter;
  readonly #lane: SubmitLane<T>;
  readonly #inbox: DeliverInbox;
  readonly #frames: FrameReader;
  readonly #liveness: Liveness;
  #phase: Phase = 'connecting';
  /** Of the phase; those of the messages are the lane's. */
  #deadlineMs: number;
  #frameCount = 0;
  #wasBusy = false;
  #closing: { reason: CloseReason; detail: string } | undefined;

  constructor(
    settings: SessionSettings,
    handlers: SessionHandlers<T>,
    events: LinkEvents,
    counters: SessionCounters,
  ) {
    const nowMs = performance.now();
    this.#settings = settings;
    this.#handlers = handlers;
    this.#events = events;
    this.#counters = counters;
    this.#lane = new SubmitLane(settings.window, handlers, counters);
    this.#liveness = new Liveness(settings.enquireLinkIntervalMs, settings.enquireLinkTimeoutMs, nowMs);
    this.#deadlineMs = nowMs + settings.connectTimeoutMs;
    this.#socket = openSocket(settings, () => this.#bind());
    this.#writer = new TurnWriter(
      this.#socket,
      () => this.#lane.release(this.#writer),
      () => this.#afterWrite(),
    );
    this.#inbox = new DeliverInbox(
      this.#socket,
      this.#writer,
      counters,
      settings.maxUnansweredDelivers,
      handlers.onDeliver?.bind(handlers),
      handlers.onDeliverView?.bind(handlers),
    );
    this.#frames = new FrameReader(settings.maxPduBytes, {
      onFrame: (bytes, start, end) => this.#onFrame(bytes, start, end),
      onHostileLength: (length) => this.#onHostileLength(length),
    });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#frames.push(chunk);
      this.#signalRoom();
    });
    this.#socket.on('error', ({ message }) =>
      this.#note(this.#phase === 'connecting' ? 'connectFailed' : 'peerClosed', message),
    );
    this.#socket.once('end', () => this.close('peerClosed', 'the peer closed the connection'));
    this.#socket.once('close', () => this.#onClose());
  }

  get outstanding(): number {
    return this.#lane.outstanding;
  }

  get room(): number {
    if (this.#phase !== 'bound' || this.#settings.bindType === 'receiver') return 0;
    if (this.#writer.busy || this.#writer.length >= this.#settings.maxBufferedBytes) return 0;
    return this.#lane.free;
  }

  submit(message: OutboundMessage, tag: T, notAfterMs: number): void {
    if (this.room <= 0) throw new Error('no room: look at `room` before `submit`');
    this.#lane.submit(this.#writer, message, tag, notAfterMs);
  }

  cancelUnsent(): number {
    this.#lane.takeBackAll(this.#writer, 'cancelled');
    return this.#lane.reportTakenBack();
  }

  /** Takes no more messages, waits for the answers that are due until `deadlineMs`, unbinds, closes. */
  drain(deadlineMs: number): void {
    if (this.#phase === 'closed' || this.#phase === 'unbinding') return;
    if (this.#phase !== 'bound') {
      this.close('stopped', 'stopped before it was bound');
      return;
    }
    this.#phase = 'draining';
    this.#deadlineMs = deadlineMs;
    this.cancelUnsent();
    this.#unbindIfDrained();
  }

  /** Destroys the connection; what is out is reported by the socket's close event. */
  close(reason: CloseReason, detail: string): void {
    this.#note(reason, detail);
    this.#frames.close();
    this.#socket.destroy();
  }

  /** Every deadline of the connection is looked at here, in bulk; the session calls it by a coarse timer. */
  tick(nowMs: number): void {
    const late = nowMs >= this.#deadlineMs;
    switch (this.#phase) {
      case 'connecting':
        if (late) this.close('connectTimeout', 'no connection in time');
        return;
      case 'binding':
        if (late) this.close('bindTimeout', 'no answer to the bind in time');
        return;
      case 'bound':
        this.#expire(nowMs);
        this.#enquire(nowMs);
        return;
      case 'draining':
        this.#expire(nowMs);
        if (late) this.#unbind();
        else this.#unbindIfDrained();
        return;
      case 'unbinding':
        if (late) this.close('stopped', 'no answer to the unbind in time');
        return;
      case 'closed':
        return;
    }
  }

  #bind(): void {
    this.#phase = 'binding';
    this.#deadlineMs = performance.now() + this.#settings.bindTimeoutMs;
    this.#writer.append(encodeBind(this.#settings, this.#lane.nextSequence()));
  }

  #unbindIfDrained(): void {
    if (this.#phase === 'draining' && this.#lane.outstanding === 0) this.#unbind();
  }

  #unbind(): void {
    this.#startUnbinding();
    queueBare(this.#writer, commandIds.unbind, 0, this.#lane.nextSequence());
  }

  #startUnbinding(): void {
    this.#phase = 'unbinding';
    this.#deadlineMs = performance.now() + this.#settings.unbindTimeoutMs;
  }

  #expire(nowMs: number): void {
    // While we do not read, missing answers are our own doing.
    if (!this.#socket.isPaused()) this.#lane.expire(nowMs - this.#settings.responseTimeoutMs);
    this.#signalRoom();
  }

  #enquire(nowMs: number): void {
    const step = this.#liveness.tick(nowMs, this.#frameCount, this.#socket.isPaused());
    if (step === 'enquire') queueBare(this.#writer, commandIds.enquire_link, 0, this.#lane.nextSequence());
    else if (step === 'lost')
      this.close('enquireLinkTimeout', 'the peer is silent, and does not answer enquire_link');
  }

  #onFrame(bytes: Buffer, start: number, end: number): void {
    this.#frameCount += 1;
    const commandId = readUint32(bytes, start + 4);
    if (commandId === commandIds.submit_sm_resp || commandId === commandIds.generic_nack) {
      if (this.#lane.answer(bytes, start, end, commandId)) this.#unbindIfDrained();
      else if (this.#phase === 'binding' && commandId === commandIds.generic_nack) {
        this.#onBindAnswer(readUint32(bytes, start + 8) || unknownError, '');
      } else this.#counters.strayAnswers += 1;
    } else if (commandId === commandIds.deliver_sm) {
      if (this.#phase === 'binding') this.#inbox.refuseUnbound(bytes, start);
      else this.#inbox.deliverSm(bytes, start, end);
    } else this.#onOther(bytes, start, end, commandId);
  }

  #onOther(bytes: Buffer, start: number, end: number, commandId: number): void {
    const sequence = readUint32(bytes, start + 12);
    let pdu: AnyPdu;
    try {
      pdu = decodePdu(bytes.subarray(start, end));
    } catch (error) {
      refuseUnreadable(this.#writer, this.#counters, error, commandId, sequence);
      return;
    }
    switch (pdu.command) {
      case 'enquire_link':
        queueBare(this.#writer, commandIds.enquire_link_resp, 0, sequence);
        return;
      case 'enquire_link_resp':
        return; // counted as a sign of life, like any PDU
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
        this.#leave('peerUnbound', 'the peer unbound', commandIds.unbind_resp, 0, sequence);
        this.#events.onPeerUnbound();
        return;
      case 'unbind_resp':
        if (this.#phase === 'unbinding') this.close('stopped', 'unbound');
        return;
      default:
        refuseUnexpected(this.#writer, this.#counters, commandId, sequence);
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
    this.#lane.roomGrew = true;
  }

  /** The last word to a peer that unbound or cannot be followed; it closes the connection, or the deadline does. */
  #leave(
    reason: CloseReason,
    detail: string,
    commandId: number,
    commandStatus: number,
    sequence: number,
  ): void {
    this.#startUnbinding();
    this.#note(reason, detail);
    this.#lane.takeBackAll(this.#writer, 'disconnected');
    queueBare(this.#writer, commandId, commandStatus, sequence);
    this.#writer.flush();
    this.#socket.end();
  }

  #onHostileLength(length: number): void {
    this.#counters.malformed += 1;
    const detail = `a PDU of ${length} bytes was announced`;
    this.#leave('hostileStream', detail, commandIds.generic_nack, commandLengthInvalid, 0);
  }

  #afterWrite(): void {
    this.#lane.reportTakenBack();
    if (this.#writer.busy) this.#wasBusy = true;
    else if (this.#wasBusy) {
      this.#wasBusy = false;
      this.#lane.roomGrew = true;
    }
    this.#signalRoom();
  }

  #signalRoom(): void {
    if (!this.#lane.roomGrew) return;
    this.#lane.roomGrew = false;
    if (this.#phase === 'bound') this.#handlers.onRoom?.();
  }

  /** The first reason is the cause; what follows are its effects. */
  #note(reason: CloseReason, detail: string): void {
    this.#closing ??= { reason, detail };
  }

  #onClose(): void {
    this.#phase = 'closed';
    this.#frames.close();
    this.#lane.lose(this.#writer);
    const { reason, detail } = this.#closing ?? {
      reason: 'peerClosed' as const,
      detail: 'the connection closed',
    };
    this.#events.onClosed(reason, detail);
  }
}
