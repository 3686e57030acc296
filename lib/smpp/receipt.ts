import type { DeliverSm } from './read-message.ts';

export type ReceiptState =
  | 'enroute'
  | 'delivered'
  | 'expired'
  | 'deleted'
  | 'undeliverable'
  | 'accepted'
  | 'unknown'
  | 'rejected';

export interface Receipt {
  /** As it came; see messageIdVariants for matching. '' when there is none. */
  messageId: string;
  state: ReceiptState;
  /** Nothing more is to come for this message. */
  final: boolean;
  /** The network's own code, of `err:` or the TLV; never a command_status. */
  networkError: string | undefined;
  /** Epoch ms if the date is read as UTC: it has no zone, so hours may be off. undefined for none and for zeros. */
  doneAt: number | undefined;
}

const finalStates: ReadonlySet<ReceiptState> = new Set([
  'delivered',
  'expired',
  'deleted',
  'undeliverable',
  'rejected',
  'unknown',
]);

/** message_state (§5.2.28), by number. */
export const stateByNumber: readonly (ReceiptState | undefined)[] = [
  undefined,
  'enroute',
  'delivered',
  'expired',
  'deleted',
  'undeliverable',
  'accepted',
  'unknown',
  'rejected',
];

/** `stat:` of all the dialects seen, upper-cased. */
const stateByWord: Readonly<Record<string, ReceiptState>> = {
  DELIVRD: 'delivered',
  DELIVERED: 'delivered',
  DELIVERD: 'delivered',
  EXPIRED: 'expired',
  DELETED: 'deleted',
  UNDELIV: 'undeliverable',
  UNDELIVERABLE: 'undeliverable',
  UNDELIVERED: 'undeliverable',
  UNDELIVRD: 'undeliverable',
  FAILED: 'undeliverable',
  ACCEPTD: 'accepted',
  ACCEPTED: 'accepted',
  ACKED: 'accepted',
  UNKNOWN: 'unknown',
  REJECTD: 'rejected',
  REJECTED: 'rejected',
  ENROUTE: 'enroute',
  BUFFERD: 'enroute',
  BUFFERED: 'enroute',
  SCHEDULED: 'enroute',
};

/** Keys in any case, with or without the space in `submit date`, in any order; values end at white space. */
const keyPattern = /(?:^|\s)(id|sub|dlvrd|submit ?date|done ?date|stat|err)\s*:\s*(\S*)/gi;

function parseKeys(text: string): Map<string, string> {
  // The original text may itself contain "stat:"; whatever follows `text:` is a person's.
  const end = text.search(/(?:^|\s)text\s*:/i);
  const head = end < 0 ? text : text.slice(0, end);
  const keys = new Map<string, string>();
  for (const [, key, value] of head.matchAll(keyPattern)) {
    const name = key!.toLowerCase().replace(' ', '');
    if (!keys.has(name) && value !== '') keys.set(name, value!);
  }
  return keys;
}

function utcOf(year: number, rest: string): number | undefined {
  const [month, day, hour, minute, second = 0] = rest.match(/\d\d/g)!.map(Number);
  if (!(month! >= 1 && month! <= 12 && day! >= 1 && day! <= 31)) return undefined;
  if (hour! > 23 || minute! > 59 || second > 59) return undefined;
  return Date.UTC(year, month! - 1, day!, hour!, minute!, second);
}

/** YYMMDDhhmm, YYMMDDhhmmss, or either with a four-digit year; zeros are no date. */
function parseReceiptDate(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const shortYear = (): number | undefined => utcOf(2000 + Number(text.slice(0, 2)), text.slice(2));
  const longYear = (): number | undefined => utcOf(Number(text.slice(0, 4)), text.slice(4));
  if (text.length === 10) return shortYear();
  if (text.length === 12) return shortYear() ?? longYear();
  if (text.length === 14) return longYear();
  return undefined;
}

/** Beginning of the original text that a receipt quotes: appendix B of SMPP 3.4 has the first 20 characters. */
export const QUOTED_LENGTH = 20;

/** From one date of a receipt to the other: whatever the carrier's zone. undefined where one is missing, or they make no sense. */
export function betweenDates(submitted: string, done: string): number | undefined {
  const from = parseReceiptDate(submitted);
  const to = from === undefined ? undefined : parseReceiptDate(done);
  return to === undefined || to < from! ? undefined : to - from!;
}

/** What a receipt says of its message beside the id: the text as octets, each a character, '' for none. */
export function quotedBy({ shortMessage }: Pick<DeliverSm, 'shortMessage'>): {
  text: string;
  submitToDoneMs: number | undefined;
} {
  const whole = Buffer.from(shortMessage).toString('latin1');
  const keys = parseKeys(whole);
  const text = /(?:^|\s)text\s*:(.*)$/is.exec(whole)?.[1] ?? '';
  return {
    text: text.slice(0, QUOTED_LENGTH),
    submitToDoneMs: betweenDates(keys.get('submitdate') ?? '', keys.get('donedate') ?? ''),
  };
}

const receiptBits = 0x3c; // message type, bits 5 to 2
const receiptType = 0x04;
const intermediateType = 0x20;

/** Whether a deliver_sm is a receipt and not what a person wrote. */
export function isReceipt(deliver: Pick<DeliverSm, 'esmClass' | 'tlvs'>): boolean {
  const type = deliver.esmClass & receiptBits;
  return type === receiptType || type === intermediateType || deliver.tlvs.receipted_message_id !== undefined;
}

/**
 * Reads a receipt of any dialect. The TLVs receipted_message_id and message_state win over the text, which may cut the
 * id. undefined where neither gives an id or a state.
 */
export function parseReceipt(
  deliver: Pick<DeliverSm, 'esmClass' | 'shortMessage' | 'tlvs'>,
): Receipt | undefined {
  const { tlvs } = deliver;
  const keys = parseKeys(Buffer.from(deliver.shortMessage).toString('latin1'));
  const word = keys.get('stat')?.toUpperCase();
  const fromText = word === undefined ? undefined : (stateByWord[word] ?? 'unknown');
  const fromTlv = tlvs.message_state === undefined ? undefined : stateByNumber[tlvs.message_state];
  const messageId = tlvs.receipted_message_id || keys.get('id') || '';
  const known = fromTlv ?? fromText;
  if (known === undefined && messageId === '') return undefined;
  const state = known ?? 'unknown';
  const intermediate = (deliver.esmClass & receiptBits) === intermediateType;
  return {
    messageId,
    state,
    // An unknown word is not the network's UNKNOWN: something final may still come.
    final:
      !intermediate &&
      finalStates.has(state) &&
      (fromTlv !== undefined || (word !== undefined && word in stateByWord)),
    networkError: keys.get('err') ?? networkErrorOf(tlvs.network_error_code),
    doneAt: parseReceiptDate(keys.get('donedate')),
  };
}

function networkErrorOf(code: Uint8Array | undefined): string | undefined {
  if (code === undefined || code.length !== 3) return undefined;
  return String((code[1]! << 8) | code[2]!).padStart(3, '0');
}
