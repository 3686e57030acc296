import { maskText } from '../phone/mask.ts';

/**
 * Values that are ids of ours, made of digits here and there: masked, nobody could find a batch by its log lines. They hold
 * no phone number.
 */
const idFields = new Set([
  'batchId',
  'taskId',
  'chunkId',
  'tableId',
  'scheduleId',
  'requestId',
  'operatorId',
  'msgId',
  'hostId',
  'host',
  'service',
  'stream',
  'consumer',
  'traceparent',
  'time',
  'version',
]);

// Quick look: without such a run there is nothing to mask, and most lines have none.
const suspicious = /\p{Nd}{7}|[+＋]\p{Nd}|\/\/[^/@"\s]+@/u;
const stringInJson = /"((?:[^"\\]|\\.)*)"(\s*:)?/g;
// A login in an address: errors of drivers quote the URL that they were given.
const loginInUrl = /\/\/[^/@\s]+@/g;

/**
 * Masks phone numbers and logins in every string of a JSON line, wherever it came from: message, fields, an error's stack.
 * By path alone (pino's redact) a number inside a text would stay. Numbers that are JSON numbers stay.
 */
export function maskLine(line: string): string {
  if (!suspicious.test(line)) return line;
  let field = '';
  return line.replace(stringInJson, (whole, text: string, colon: string | undefined) => {
    if (colon !== undefined) {
      field = text;
      return whole;
    }
    return idFields.has(field) ? whole : `"${maskText(text.replace(loginInUrl, '//***@'))}"`;
  });
}
