import { headerLength, writeHeader } from './pdu.ts';
import type { TurnWriter } from './turn-writer.ts';

/** Queues a PDU without a body: enquire_link, unbind, generic_nack, and their answers. */
export function queueBare(
  writer: TurnWriter,
  commandId: number,
  commandStatus: number,
  sequence: number,
): void {
  writer.reserve(headerLength);
  writer.length = writeHeader(writer.bytes, writer.length, headerLength, commandId, commandStatus, sequence);
}

/** Queues a submit_sm_resp, deliver_sm_resp or data_sm_resp. A refusal has no body (§4.4.2). */
export function queueIdAnswer(
  writer: TurnWriter,
  commandId: number,
  commandStatus: number,
  sequence: number,
  messageId: string,
): void {
  writer.reserve(headerLength + messageId.length + 1);
  const { bytes, length: start } = writer;
  let at = start + headerLength;
  if (commandStatus === 0) {
    for (let i = 0; i < messageId.length; i++) bytes[at++] = messageId.charCodeAt(i);
    bytes[at++] = 0;
  }
  writeHeader(bytes, start, at - start, commandId, commandStatus, sequence);
  writer.length = at;
}
