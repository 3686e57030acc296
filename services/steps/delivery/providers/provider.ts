import type { ConcatReference } from '../../../../lib/sms/udh.ts';

/** Who a message is from. Told apart by identity: one object for one sender, never changed. */
export interface Sender {
  readonly ton: number;
  readonly npi: number;
  readonly addr: string;
}

/** One part of a text on its way out. Copied when it is submitted, so one object serves for all. */
export interface OutboundPart {
  sender: Sender;
  /** Digits. */
  destination: string;
  /** The encoded part is bytes[start, end), a user data header included. */
  bytes: Uint8Array;
  start: number;
  end: number;
  hasUserDataHeader: boolean;
  /** SMPP's numbers: 0 = GSM 03.38 unpacked, 8 = UCS-2. */
  dataCoding: number;
  /** 0 = the carrier's default. */
  validitySeconds: number;
}

/** What a refusal means; only the core decides what to do about it. Every adapter maps its answers to these. */
export type RefusalClass =
  /** Too fast: the line's queue waits, the rate is lowered, no attempt is spent, the same message goes first. */
  | 'throttled'
  /** May work later: some tries over minutes. */
  | 'transient'
  /** The connection's trouble, not the message's: it goes out over a healthy one. */
  | 'session'
  /** This recipient cannot be reached. */
  | 'recipient'
  /** Everyone else would be refused as well: the batch pauses. */
  | 'batch'
  /** The answer proves nothing. */
  | 'inDoubt';

export interface Refusal {
  readonly class: RefusalClass;
  /** As `0x0000000B`. */
  readonly code: string;
  /** For people. */
  readonly text: string;
}

/** What a line user attaches to a part; handed back with its answer. */
export interface Tag {
  readonly user: LineUser;
}

/**
 * A task that sends over a provider's lines. All calls come from within a line's turn and must not throw. Each submitted
 * part is reported once, by one of the first four.
 */
export interface LineUser {
  onAccepted(tag: Tag, messageId: string): void;
  onRefused(tag: Tag, refusal: Refusal): void;
  /** It was written, or may have been: in doubt. */
  onUnanswered(tag: Tag): void;
  /** It certainly never left. */
  onNotSent(tag: Tag): void;
  /** The answer of a part that was reported as unanswered. */
  onLateAnswer(tag: Tag, answer: { messageId: string } | { refusal: Refusal }): void;
  /** Submits what it may now, `atMost` parts over this line. @returns how many */
  send(line: Line, atMost: number): number;
}

/** One connection, or whatever else takes parts in order. */
export interface Line {
  readonly id: number;
  /** Parts that `submit` takes now. */
  readonly room: number;
  /** Needs `room`; not written after `notAfterMs` (performance.now()). Throws for what cannot be encoded. */
  submit(part: OutboundPart, tag: Tag, notAfterMs: number): void;
}

export interface ProviderAccount {
  name: string;
  kind: string;
  /** Segments a second that the contract allows; null = no limit known. */
  tps: number | null;
  /** Segments without an answer, over all connections of this process. */
  window: number;
  /** Which concatenation header the carrier takes. */
  reference: ConcatReference;
  /** Asks the carrier for receipts. */
  receipts: boolean;
}

/**
 * The seam behind which every kind of carrier connection lies; test/…/provider-conformance.ts is its contract.
 */
export interface Provider {
  readonly account: ProviderAccount;
  senderOf(sender: string | undefined, extCode: string | undefined): Sender;
  /** Sends for this user from now on, in turns with the others. */
  join(user: LineUser): void;
  leave(user: LineUser): void;
  /** The user has something to send. */
  wake(): void;
  /** How long until any line may send: 0 now, Infinity while none is connected. */
  readyInMs(): number;
  /** True while the carrier's throttling holds lines back. */
  throttled(): boolean;
  /** Why nothing is connected, for people; undefined when something is. */
  trouble(): string | undefined;
}
