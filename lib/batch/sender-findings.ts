import type { BatchDefinition } from '../../contracts/batch.ts';
import type { Finding } from '../../contracts/errors.ts';
import { isGsm7 } from '../sms/gsm0338.ts';

/** An alphanumeric source address has 11 characters at most; digits have as many as the protocol's field. */
export const MAX_ALPHANUMERIC_SENDER = 11;
export const MAX_NUMERIC_SENDER = 20;

const numeric = /^\+?[0-9]+$/;

/** What carriers refuse in a source address, found before the first message is. */
export function senderFindings({ sender, extCode }: BatchDefinition): Finding[] {
  if (sender === undefined) return [];
  const findings: Finding[] = [];
  const refuse = (expected: string) => findings.push({ field: 'sender', value: sender, expected });
  if (numeric.test(sender)) {
    const digits = sender.replace('+', '').length;
    const whole = digits + (extCode?.length ?? 0);
    if (digits > MAX_NUMERIC_SENDER) refuse(`at most ${MAX_NUMERIC_SENDER} digits`);
    else if (whole > MAX_NUMERIC_SENDER) {
      const expected = `at most ${MAX_NUMERIC_SENDER - digits} digits behind this sender`;
      findings.push({ field: 'extCode', value: extCode, expected });
    }
    return findings;
  }
  if (sender.trim() === '')
    refuse('digits, or up to 11 letters and digits; leave it out for the account’s own');
  else if (sender !== sender.trim()) refuse('no spaces around it');
  if (sender.length > MAX_ALPHANUMERIC_SENDER) {
    refuse(
      `at most ${MAX_ALPHANUMERIC_SENDER} characters where it is not all digits; it has ${sender.length}`,
    );
  }
  // 0x00 in GSM 03.38: it ends a C-octet string.
  if (sender.includes('@')) refuse('no @: it cannot stand in a source address');
  if (!isGsm7(sender)) refuse('only characters of GSM 03.38');
  if (extCode) {
    const expected = 'none: digits can be appended only to a sender of digits';
    findings.push({ field: 'extCode', value: extCode, expected });
  }
  return findings;
}
