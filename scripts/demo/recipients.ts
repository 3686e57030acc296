import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { seededRandom } from '../../lib/random/seeded-random.ts';
import { BAD_PHONES, COUNTRIES, type DemoCountry, NOTES } from './people.ts';

/**
 * A recipient table for demos, tests and benchmarks: several countries, Chinese and Latin names, quoted notes, about
 * 1 % numbers that are none and 1 % that came before in another spelling. The numbers are well-formed and may be
 * somebody's: never send to them through a real carrier.
 */
export interface RecipientOptions {
  /** Rows without the header line; 10 million at most (more would repeat a number). */
  count: number;
  /** The same seed gives the same file, octet by octet. */
  seed: number;
}

/** What an import must find. `total = validUnique + duplicates + invalid`. */
export interface RecipientCounts {
  total: number;
  validUnique: number;
  duplicates: number;
  invalid: number;
}

export const RECIPIENT_COLUMNS = ['phone', 'name', 'city', 'orderId', 'note'] as const;

const MAX_COUNT = 10_000_000;
const CHUNK_CHARACTERS = 64 * 1024;

/** A hundred places, each of a country, and which of its country's places it is. */
const PLACES = COUNTRIES.flatMap((country) =>
  Array.from({ length: country.percent }, (_, rank) => ({ country, rank, space: 10 ** country.tailDigits })),
);
/** Has no factor with 10, so that multiplying by it visits every tail before one comes again. */
const STRIDE = 7_919_347;

interface Phone {
  country: DemoCountry;
  digits: string;
}

/** The n-th different number: computed, not remembered, so that memory stays flat whatever the count. */
function phoneAt(n: number, seed: number): Phone {
  const { country, rank, space } = PLACES[n % PLACES.length]!;
  const nth = Math.floor(n / PLACES.length) * country.percent + rank;
  const tail = String((nth * STRIDE + (seed >>> 0)) % space).padStart(country.tailDigits, '0');
  return { country, digits: country.prefix + tail };
}

/** Mostly E.164; some with 00, some in groups. All are valid without a default country. */
function spelled({ country, digits }: Phone, pick: number): string {
  if (pick < 0.85) return `+${digits}`;
  if (pick < 0.9) return `00${digits}`;
  const code = country.callingCode.length;
  return `+${digits.slice(0, code)} ${digits.slice(code, code + 3)} ${digits.slice(code + 3)}`;
}

const oneOf = <T>(list: readonly T[], pick: number): T => list[Math.floor(pick * list.length)]!;

const INVALID_SHARE = 0.01;
const DUPLICATE_SHARE = 0.01;

function* csvText({ count, seed }: RecipientOptions, counts: RecipientCounts): Generator<string> {
  if (!Number.isInteger(count) || count < 0 || count > MAX_COUNT) {
    throw new RangeError(`count: ${count}; expected an integer from 0 to ${MAX_COUNT}`);
  }
  const random = seededRandom(seed);
  let text = `${RECIPIENT_COLUMNS.join(',')}\n`;
  for (let row = 0; row < count; row++) {
    const fate = random();
    let phone: Phone;
    let written: string;
    if (fate < INVALID_SHARE) {
      phone = phoneAt(row, seed);
      written = oneOf(BAD_PHONES, random());
      counts.invalid++;
    } else if (fate < INVALID_SHARE + DUPLICATE_SHARE && counts.validUnique > 0) {
      phone = phoneAt(Math.floor(random() * counts.validUnique), seed);
      written = spelled(phone, random());
      counts.duplicates++;
    } else {
      phone = phoneAt(counts.validUnique++, seed);
      written = spelled(phone, random());
    }
    counts.total++;
    const { people } = phone.country;
    const name = oneOf(people.given, random());
    const family = oneOf(people.family, random());
    const full = people.familyFirst ? family + name : `${name} ${family}`;
    text += `${written},${full},${oneOf(phone.country.cities, random())},A${1_000_000 + row},${oneOf(NOTES, random())}\n`;
    if (text.length >= CHUNK_CHARACTERS) {
      yield text;
      text = '';
    }
  }
  yield text;
}

export interface GeneratedCsv {
  /** UTF-8, about 64 kB each, made as they are drawn. */
  chunks: AsyncIterable<Buffer>;
  /** Grows with the chunks; final when the last one was drawn. */
  counts: RecipientCounts;
}

export function generateCsv(options: RecipientOptions): GeneratedCsv {
  const counts: RecipientCounts = { total: 0, validUnique: 0, duplicates: 0, invalid: 0 };
  async function* chunks() {
    for (const text of csvText(options, counts)) yield Buffer.from(text, 'utf8');
  }
  return { chunks: chunks(), counts };
}

/** Writes the file as a stream; memory stays flat. */
export async function writeCsv(path: string, options: RecipientOptions): Promise<RecipientCounts> {
  const { chunks, counts } = generateCsv(options);
  await pipeline(Readable.from(chunks), createWriteStream(path));
  return counts;
}
