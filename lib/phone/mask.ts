const SHORTEST_MASKED = 7;

/**
 * Keeps the first four digits (country and the start of the area) and the last two: `4479******56`. Shorter numbers
 * keep less; below seven digits nothing is left.
 */
export function maskMsisdn(msisdn: string): string {
  const plus = msisdn.startsWith('+') ? 1 : 0;
  const digits = msisdn.length - plus;
  if (digits < SHORTEST_MASKED) return msisdn.slice(0, plus) + '*'.repeat(digits);
  const head = plus + (digits >= 10 ? 4 : 2);
  return msisdn.slice(0, head) + '*'.repeat(msisdn.length - head - 2) + msisdn.slice(-2);
}

// A run of digits of any script; behind a plus also one with single separators. Without the plus, separators end the
// run: else every date with a time would be masked.
const NUMBER_IN_TEXT = /[+＋]\p{Nd}(?:[ \-().\u00a0]{0,2}\p{Nd}){6,}|\p{Nd}{7,}/gu;

/** Masks whatever may be a phone number in free text: for log lines and errors that quote a user's data. */
export function maskText(text: string): string {
  return text.replace(NUMBER_IN_TEXT, (run) => maskMsisdn(run.replace(/[^\p{Nd}+]/gu, '')));
}
