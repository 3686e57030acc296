import { concatReference } from '../../../lib/sms/concat-reference.ts';
import { encodeGsm7Into } from '../../../lib/sms/gsm0338.ts';
import { MAX_PART_OCTETS, writePart } from '../../../lib/sms/message-parts.ts';
import { type MessagePlan, planMessage } from '../../../lib/sms/segments.ts';
import { encodeUcs2Into } from '../../../lib/sms/ucs2.ts';
import type { ConcatReference } from '../../../lib/sms/udh.ts';
import type { DeliveryChunk } from './delivery-chunk.ts';
import type { Message } from './message.ts';
import type { OutboundPart, Sender } from './providers/provider.ts';

export interface PartEncoder {
  /** The only part of a short text. The same object each time: submit it before the next call. */
  single(chunk: DeliveryChunk, position: number): OutboundPart;
  part(message: Message, part: number): OutboundPart;
  /** How a long text travels; its number of parts, by which preparation has counted. */
  plan(chunk: DeliveryChunk, position: number): MessagePlan;
}

/** Encodes for one task and one provider; a text that all recipients get is encoded once. */
export function partEncoder(options: {
  sender: Sender;
  reference: ConcatReference;
  batchHash: number;
  validitySeconds: number;
}): PartEncoder {
  const { reference, batchHash } = options;
  const buffer = new Uint8Array(2 * MAX_PART_OCTETS);
  const out: OutboundPart = {
    sender: options.sender,
    destination: '',
    bytes: buffer,
    start: 0,
    end: 0,
    hasUserDataHeader: false,
    dataCoding: 0,
    validitySeconds: options.validitySeconds,
  };
  let lastText: string | undefined;
  let lastCoding = -1;

  function plan(chunk: DeliveryChunk, position: number): MessagePlan {
    const encoding = chunk.isUcs2(position) ? 'ucs2' : 'gsm7';
    const planned = planMessage(chunk.textAt(position), { encoding, reference });
    if (!planned.ok)
      throw new RangeError(`chunk ${chunk.id}, position ${position}: ${planned.finding.expected}`);
    return planned;
  }

  return {
    plan,
    single(chunk, position) {
      const text = chunk.textAt(position);
      const coding = chunk.isUcs2(position) ? 8 : 0;
      out.destination = chunk.phoneAt(position);
      if (text === lastText && coding === lastCoding) return out;
      const length = coding === 8 ? encodeUcs2Into(text, buffer, 0) : encodeGsm7Into(text, buffer, 0);
      lastText = length < 0 ? undefined : text;
      lastCoding = coding;
      if (length < 0) throw new RangeError(`chunk ${chunk.id}, position ${position}: not in GSM 03.38`);
      out.end = length;
      out.hasUserDataHeader = false;
      out.dataCoding = coding;
      return out;
    },
    part(message, part) {
      const { chunk, position, long } = message;
      const planned = long!.plan ?? plan(chunk, position);
      long!.plan = planned;
      lastText = undefined;
      const ref = concatReference(batchHash, chunk.placeOf(position), reference);
      const written = writePart(planned, chunk.textAt(position), part, ref, buffer, 0);
      out.destination = chunk.phoneAt(position);
      out.end = written.length;
      out.hasUserDataHeader = written.esmClass !== 0;
      out.dataCoding = written.dataCoding;
      return out;
    },
  };
}
