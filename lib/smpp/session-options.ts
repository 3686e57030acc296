import type { ConnectionOptions } from 'node:tls';
import type { Pdu } from './codec.ts';
import { defaultMaxPduBytes } from './pdu.ts';
import type { DeliverSm, MessageView } from './read-message.ts';

export type BindType = 'transceiver' | 'transmitter' | 'receiver';

export interface SmppSessionOptions {
  host: string;
  port: number;
  tls?: ConnectionOptions;
  bindType?: BindType;
  systemId: string;
  password: string;
  systemType?: string;
  addressTon?: number;
  addressNpi?: number;
  addressRange?: string;
  /** false: system_id and password may be longer than SMPP 3.4 allows, as some providers' are. */
  checkCredentialLengths?: boolean;
  /** submit_sm without an answer, at most. */
  window?: number;
  connectTimeoutMs?: number;
  bindTimeoutMs?: number;
  /** Well above window / rate, or an overfilled window alone makes time-outs. */
  responseTimeoutMs?: number;
  /** Silence of the peer after which it is asked whether it is there. */
  enquireLinkIntervalMs?: number;
  enquireLinkTimeoutMs?: number;
  unbindTimeoutMs?: number;
  reconnectBaseMs?: number;
  reconnectCapMs?: number;
  /** Between two tries after wrong credentials: quick repetition locks accounts. */
  refusedRetryMs?: number;
  maxPduBytes?: number;
  /** Bytes gathered for the next write beyond which there is no room. */
  maxBufferedBytes?: number;
  /** deliver_sm that were handed over and not answered; at this number reading stops. */
  maxUnansweredDelivers?: number;
  /** 0 to 1, for the jitter. */
  random?: () => number;
}

export const sessionDefaults = {
  bindType: 'transceiver' as BindType,
  systemType: '',
  addressTon: 0,
  addressNpi: 0,
  addressRange: '',
  checkCredentialLengths: true,
  window: 100,
  connectTimeoutMs: 10_000,
  bindTimeoutMs: 10_000,
  responseTimeoutMs: 30_000,
  enquireLinkIntervalMs: 30_000,
  enquireLinkTimeoutMs: 10_000,
  unbindTimeoutMs: 5_000,
  reconnectBaseMs: 1_000,
  reconnectCapMs: 60_000,
  refusedRetryMs: 60_000,
  maxPduBytes: defaultMaxPduBytes,
  maxBufferedBytes: 256 * 1024,
  maxUnansweredDelivers: 10_000,
  random: Math.random,
};

export type SessionSettings = Omit<SmppSessionOptions, keyof typeof sessionDefaults> & typeof sessionDefaults;

/**
 * What became of a message. `answered`: the peer's word. `noAnswer`: in doubt, it was written or may have been.
 * `notSent`: certainly never handed to the socket.
 */
export type Answer =
  | { readonly kind: 'answered'; readonly commandStatus: number; readonly messageId: string }
  | { readonly kind: 'noAnswer'; readonly reason: 'timeout' | 'disconnected' }
  | { readonly kind: 'notSent'; readonly reason: 'expired' | 'refused' | 'cancelled' | 'disconnected' };

export type AnsweredAnswer = Extract<Answer, { kind: 'answered' }>;

export type CloseReason =
  | 'connectFailed'
  | 'connectTimeout'
  | 'bindTimeout'
  | 'bindRefused'
  | 'peerClosed'
  | 'peerUnbound'
  | 'enquireLinkTimeout'
  | 'hostileStream'
  | 'stopped';

export type SessionState =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'bound'; readonly peerSystemId: string }
  | { readonly kind: 'unbound'; readonly by: 'peer' | 'us' }
  | { readonly kind: 'bindRefused'; readonly commandStatus: number; readonly fatal: boolean }
  | {
      readonly kind: 'closed';
      readonly reason: CloseReason;
      readonly detail: string;
      readonly retryInMs?: number;
    };

/** Sends the deliver_sm_resp of a message that was taken from its view: once each, later, in any order. */
export interface DeliverAnswers {
  answer(sequenceNumber: number, commandStatus: number): void;
}

/** Called from within the session's turn: they must not throw. Messages may be submitted from any of them. */
export interface SessionHandlers<T> {
  /** Once for each submitted message. */
  onAnswer(tag: T, answer: Answer): void;
  /** The answer to a message that was reported as `noAnswer` by time-out, while its number is still known. */
  onLateAnswer?(tag: T, answer: AnsweredAnswer): void;
  /** There may be room again: at most once for each read, write or change of state. */
  onRoom?(): void;
  /**
   * `respond` sends the deliver_sm_resp: once, later, in any order, after storing; when the connection is gone it does
   * nothing, since the peer will send the message again.
   */
  onDeliver?(deliver: DeliverSm, respond: (commandStatus: number) => void): void;
  /**
   * Sees a deliver_sm first, where it lies in the socket's buffer: `view` is valid only during the call. True: it was taken,
   * and `answers` is told its command_status, once, after storing; false: it goes to `onDeliver`.
   */
  onDeliverView?(view: MessageView, answers: DeliverAnswers): boolean;
  onAlert?(alert: Pdu<'alert_notification'>): void;
  onState?(state: SessionState): void;
  /** Asked immediately before each socket write that holds messages; false takes all of them back. */
  mayWrite?(): boolean;
}

export interface SessionCounters {
  submitted: number;
  answered: number;
  timedOut: number;
  lateAnswers: number;
  /** Answers to nothing that is out: outside the ring, doubled, or not ours. */
  strayAnswers: number;
  notSent: number;
  delivers: number;
  malformed: number;
  unknownCommands: number;
  connects: number;
}

export function emptyCounters(): SessionCounters {
  return {
    submitted: 0,
    answered: 0,
    timedOut: 0,
    lateAnswers: 0,
    strayAnswers: 0,
    notSent: 0,
    delivers: 0,
    malformed: 0,
    unknownCommands: 0,
    connects: 0,
  };
}
