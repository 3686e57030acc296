import { encodeGsm7Into } from './gsm0338.ts';
import type { MessagePlan } from './segments.ts';
import { encodeUcs2Into } from './ucs2.ts';
import { writeConcatHeader } from './udh.ts';

/** esm_class bit: short_message begins with a user data header. */
export const ESM_CLASS_UDHI = 0x40;

/** Octets that a buffer must have left for any one part: a 7-octet header and 160 unpacked septets. */
export const MAX_PART_OCTETS = 167;

export interface WrittenPart {
  /** sm_length: octets written, header included. GSM 03.38 is unpacked, so it may pass 140: air takes 7 bits each. */
  length: number;
  esmClass: number;
  dataCoding: number;
}

export const partStart = (plan: MessagePlan, partIndex: number): number =>
  partIndex === 0 ? 0 : plan.splitAt[partIndex - 1]!;

export const partEnd = (plan: MessagePlan, text: string, partIndex: number): number =>
  partIndex === plan.segments - 1 ? text.length : plan.splitAt[partIndex]!;

/**
 * Writes the short_message of one part.
 * @param text the very text that was planned
 * @param partIndex from 0
 * @param reference equal for all parts of a message (concatReference); not used by a single part
 * @throws RangeError when there is no such part, or when the text is not the one that was planned
 */
export function writePart(
  plan: MessagePlan,
  text: string,
  partIndex: number,
  reference: number,
  buffer: Uint8Array,
  offset: number,
): WrittenPart {
  if (partIndex < 0 || partIndex >= plan.segments) {
    throw new RangeError(`part ${partIndex} of a message of ${plan.segments} parts`);
  }
  const { segments, encoding, dataCoding } = plan;
  const header =
    segments === 1
      ? 0
      : writeConcatHeader(plan.reference, reference, segments, partIndex + 1, buffer, offset);
  const from = partStart(plan, partIndex);
  const to = partEnd(plan, text, partIndex);
  const body =
    encoding === 'gsm7'
      ? encodeGsm7Into(text, buffer, offset + header, from, to)
      : encodeUcs2Into(text, buffer, offset + header, from, to);
  if (body < 0)
    throw new RangeError('the text is not the one that was planned: a character is not in GSM 03.38');
  return { length: header + body, esmClass: header === 0 ? 0 : ESM_CLASS_UDHI, dataCoding };
}
