import type { MessagePlan } from '../../../lib/sms/segments.ts';
import type { DeliveryChunk } from './delivery-chunk.ts';
import type { Line, LineUser, Refusal, Tag } from './providers/provider.ts';

/**
 * One message while it is out: authorised, on its way, or about to be. It is itself the tag of a text of one part, so
 * that the common case costs one object a message.
 */
export class Message implements Tag {
  readonly user: LineUser;
  readonly chunk: DeliveryChunk;
  readonly position: number;
  /** Order of sending: who was first stays first, also when sent again. */
  readonly order: number;
  readonly parts: number;
  attempts = 0;
  /** Parts handed to a line and not reported yet. */
  partsOut = 0;
  long: LongMessage | undefined = undefined;

  constructor(user: LineUser, chunk: DeliveryChunk, position: number, parts: number) {
    this.user = user;
    this.chunk = chunk;
    this.position = position;
    this.order = chunk.placeOf(position);
    this.parts = parts;
  }
}

/** What a text of several parts has beside. */
export interface LongMessage {
  plan: MessagePlan | undefined;
  /** Bit 0 is the first part. */
  accepted: number;
  /** Handed to a line in this round, or accepted before. */
  submitted: number;
  ids: string[];
  refusal: Refusal | undefined;
  unanswered: boolean;
  /** Once the round has begun, its rest goes over the same line. */
  line: Line | undefined;
}

/** One part of a long message. */
export class PartTag implements Tag {
  readonly user: LineUser;
  readonly message: Message;
  readonly part: number;

  constructor(message: Message, part: number) {
    this.user = message.user;
    this.message = message;
    this.part = part;
  }
}

export function bitsIn(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

export const allParts = (parts: number): number => 2 ** parts - 1;

/** The lowest part that is not in the mask, or -1. */
export function nextPart(mask: number, parts: number): number {
  for (let part = 0; part < parts; part++) if ((mask & (1 << part)) === 0) return part;
  return -1;
}

/** Ids of the accepted parts in their order, empty where a part has none. */
export function idsOf({ long, parts }: Message): string {
  if (!long || long.accepted === 0) return '';
  return Array.from({ length: parts }, (_, part) => long.ids[part] ?? '').join(' ');
}

/** Beginning or going on with a message of several parts, of which some may have been accepted before. */
export const longMessage = (accepted = 0, ids: string[] = []): LongMessage => ({
  plan: undefined,
  accepted,
  submitted: accepted,
  ids,
  refusal: undefined,
  unanswered: false,
  line: undefined,
});
