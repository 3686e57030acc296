import { SmppDecodeError } from './errors.ts';
import { commandIds, isResponse } from './pdu.ts';
import type { SessionCounters } from './session-options.ts';
import { queueBare } from './short-pdus.ts';
import type { TurnWriter } from './turn-writer.ts';

const commandIdInvalid = 0x03;

/** A PDU that could not be decoded. Answers are never answered, or two peers would refuse each other for ever. */
export function refuseUnreadable(
  writer: TurnWriter,
  counters: SessionCounters,
  error: unknown,
  commandId: number,
  sequence: number,
): void {
  if (!(error instanceof SmppDecodeError)) throw error;
  if (error.commandStatus === commandIdInvalid) counters.unknownCommands += 1;
  else counters.malformed += 1;
  if (!isResponse(commandId)) queueBare(writer, commandIds.generic_nack, error.commandStatus, sequence);
}

/** What only an SMSC takes, outbind on a connection that is ours, and answers to what is never asked. */
export function refuseUnexpected(
  writer: TurnWriter,
  counters: SessionCounters,
  commandId: number,
  sequence: number,
): void {
  if (isResponse(commandId)) {
    counters.strayAnswers += 1;
    return;
  }
  counters.unknownCommands += 1;
  queueBare(writer, commandIds.generic_nack, commandIdInvalid, sequence);
}
