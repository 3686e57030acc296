/** How the simulated SMSC behaves; all of it can be changed while it runs (POST /rules). */
export interface Behaviour {
  /** Time to the answer, plus up to `latencyJitterMs`. */
  latencyMs: number;
  latencyJitterMs: number;
  /** Segments a second over all binds; 0 = no limit. Over it the answer is `throttledStatus`. */
  tpsLimit: number;
  /** How much may come at once, as milliseconds of the rate. */
  tpsBurstMs: number;
  throttledStatus: number;
  /** Share of messages that are accepted and never answered. */
  noAnswerShare: number;
  /** Share of messages answered `lateAnswerMs` late. */
  lateAnswerShare: number;
  lateAnswerMs: number;
  /** Share of messages that are answered twice. */
  doubledAnswerShare: number;
  /** Cut a connection without an answer after each so many of its messages; 0 = never. */
  disconnectEvery: number;
  /** As `disconnectEvery`, but once: the first connection that gets there. */
  disconnectAfter: number;
  rules: Rule[];
  receipts: ReceiptBehaviour;
}

/** The first rule that matches a destination decides. Digits, no +. */
export interface Rule {
  prefix?: string;
  suffix?: string;
  pattern?: string;
  /** Of the messages that match: 0 to 1, 1 unless given. */
  share?: number;
  /** Only the first so many messages to each number: "fails twice, then is accepted". */
  times?: number;
  /** Answer with this command_status; 0 or absent accepts. */
  commandStatus?: number;
  /** Accept, and never answer. */
  noAnswer?: boolean;
  /** Answer this much later. */
  delayMs?: number;
  /** Cut the connection: before the message counts as received, or after it was accepted. */
  disconnect?: 'before' | 'after';
  /** What its receipt says. */
  receiptState?: ReceiptState;
}

export type ReceiptState =
  | 'DELIVRD'
  | 'EXPIRED'
  | 'DELETED'
  | 'UNDELIV'
  | 'ACCEPTD'
  | 'UNKNOWN'
  | 'REJECTD'
  | 'ENROUTE';

/** How the id of the answer comes back in the receipt. */
export type IdDialect = 'same' | 'hexToDecimal' | 'decimalToHex' | 'zeroPadded' | 'upperCase';
export type ReceiptFormat = 'text' | 'tlv' | 'both' | 'oneWordDates' | 'csvAndTlv';

export interface ReceiptBehaviour {
  /** Share of the accepted messages that asked for a receipt and get one. */
  share: number;
  delayMs: number;
  delayJitterMs: number;
  /** Share of receipts that go out before the submit_sm_resp. */
  earlyShare: number;
  doubledShare: number;
  state: ReceiptState;
  ids: IdDialect;
  format: ReceiptFormat;
  /** A receipt that is not answered, or refused, comes again after this. */
  retryMs: number;
}

export const defaultBehaviour: Behaviour = {
  latencyMs: 0,
  latencyJitterMs: 0,
  tpsLimit: 0,
  tpsBurstMs: 1000,
  throttledStatus: 0x58,
  noAnswerShare: 0,
  lateAnswerShare: 0,
  lateAnswerMs: 5000,
  doubledAnswerShare: 0,
  disconnectEvery: 0,
  disconnectAfter: 0,
  rules: [],
  receipts: {
    share: 1,
    delayMs: 0,
    delayJitterMs: 0,
    earlyShare: 0,
    doubledShare: 0,
    state: 'DELIVRD',
    ids: 'same',
    format: 'both',
    retryMs: 5000,
  },
};

/** What a test may give: any part of it. */
export type BehaviourChange = Partial<Omit<Behaviour, 'receipts'>> & { receipts?: Partial<ReceiptBehaviour> };

export function changed(behaviour: Behaviour, change: BehaviourChange): Behaviour {
  return { ...behaviour, ...change, receipts: { ...behaviour.receipts, ...change.receipts } };
}
