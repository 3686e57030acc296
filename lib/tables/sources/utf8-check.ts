import { isUtf8 } from 'node:buffer';
import { refuseSource } from './refuse-source.ts';

/** Octets at the end that begin a character whose rest is still to come: 0 to 3. */
function unfinished(octets: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, octets.length); back++) {
    const octet = octets[octets.length - back]!;
    if ((octet & 0xc0) === 0x80) continue;
    const needs = octet >= 0xf0 ? 4 : octet >= 0xe0 ? 3 : octet >= 0xc0 ? 2 : 1;
    return needs > back ? back : 0;
  }
  return 0;
}

const EXPECTED = 'UTF-8: in a spreadsheet, save as “CSV UTF-8”';

/** Fails a file at the first octet that is not UTF-8: what is guessed is sent to somebody as gibberish. */
export interface Utf8Check {
  feed(chunk: Buffer): void;
  end(): void;
}

export function utf8Check(): Utf8Check {
  let carried = Buffer.alloc(0);
  let before = 0;
  let first = true;

  function body(octets: Buffer): void {
    if (!isUtf8(octets)) throw notUtf8(octets, before);
    before += octets.length;
  }

  return {
    feed(chunk) {
      if (first) refuseKnown(chunk);
      first = false;
      const whole = carried.length > 0 ? Buffer.concat([carried, chunk]) : chunk;
      const end = whole.length - unfinished(whole);
      body(whole.subarray(0, end));
      carried = Buffer.from(whole.subarray(end));
    },
    end() {
      body(carried);
    },
  };
}

function refuseKnown(head: Buffer): void {
  const magic = head.subarray(0, 4).toString('latin1');
  if (magic.startsWith('\xff\xfe') || magic.startsWith('\xfe\xff')) {
    throw refuseSource('The file is UTF-16, not UTF-8.', 'UTF-16', EXPECTED);
  }
  if (magic === 'PK\x03\x04') {
    throw refuseSource(
      'The file is a ZIP archive or a spreadsheet (XLSX), not text.',
      'PK',
      'CSV or NDJSON; gzip is fine',
    );
  }
  if (head.subarray(0, 1_024).includes(0)) {
    throw refuseSource('The file holds zero octets: it is not text, or UTF-16.', 'octet 0x00', EXPECTED);
  }
}

const CONTEXT_OCTETS = 20;

function notUtf8(octets: Buffer, before: number): RefusedErrorOf {
  let start = 0;
  // Line by line: no UTF-8 character holds an octet of a line end.
  for (let end = octets.indexOf(10, start); end !== -1; end = octets.indexOf(10, start)) {
    if (!isUtf8(octets.subarray(start, end))) break;
    start = end + 1;
  }
  let at = start;
  while (at < octets.length && isUtf8(octets.subarray(start, at + 1 + missing(octets, at))))
    at += 1 + missing(octets, at);
  const octet = octets[at] ?? 0;
  const near = octets.subarray(Math.max(start, at - CONTEXT_OCTETS), at + CONTEXT_OCTETS).toString('latin1');
  return refuseSource(
    `The file is not UTF-8: octet ${before + at + 1} is 0x${octet.toString(16).toUpperCase()}.`,
    `…${near.split('\n')[0]}…`,
    EXPECTED,
  );
}

type RefusedErrorOf = ReturnType<typeof refuseSource>;

/** How many octets must follow the one at `at`. */
function missing(octets: Buffer, at: number): number {
  const octet = octets[at]!;
  return octet >= 0xf0 ? 3 : octet >= 0xe0 ? 2 : octet >= 0xc0 ? 1 : 0;
}
