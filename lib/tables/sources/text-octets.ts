import { createHash } from 'node:crypto';
import { PassThrough, Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import { refuseSource } from './refuse-source.ts';
import { utf8Check } from './utf8-check.ts';

/** A file's octets as they lie somewhere. */
export interface Octets {
  /** For people: `file people.csv`. */
  label: string;
  /** Size in octets, where it is known. */
  size?: number | undefined;
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** The text of a file, unpacked where it is packed, checked to be UTF-8, and hashed as it goes by. */
export interface TextOctets {
  chunks(signal: AbortSignal): AsyncIterable<Buffer>;
  /** SHA-256 of the unpacked text (hex): the same file is the same, packed or not. */
  sha256(): string;
  /** Share of the octets that was read. */
  fraction(): number | undefined;
}

export function textOctets(octets: Octets): TextOctets {
  const hash = createHash('sha256');
  let digest: string | undefined;
  let read = 0;

  async function* counted(signal: AbortSignal): AsyncGenerator<Buffer> {
    for await (const chunk of octets.open(signal)) {
      read += chunk.length;
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    }
  }

  async function* chunks(signal: AbortSignal): AsyncGenerator<Buffer> {
    const utf8 = utf8Check();
    let length = 0;
    for await (const chunk of unpacked(counted(signal), octets.label, signal)) {
      length += chunk.length;
      utf8.feed(chunk);
      hash.update(chunk);
      yield chunk;
    }
    utf8.end();
    if (length === 0)
      throw refuseSource(`There is nothing in ${octets.label}: it is empty.`, '', 'at least one row');
  }

  return {
    chunks,
    sha256: () => {
      digest ??= hash.digest('hex');
      return digest;
    },
    fraction: () => (octets.size ? read / octets.size : undefined),
  };
}

const GZIP = [0x1f, 0x8b];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];
const begins = (chunk: Buffer, magic: readonly number[]) => magic.every((octet, at) => chunk[at] === octet);

async function* unpacked(
  packed: AsyncGenerator<Buffer>,
  label: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const head = await firstOctets(packed, ZSTD.length);
  const all = rejoined(head, packed);
  if (begins(head, GZIP)) yield* through(all, zlib.createGunzip({ chunkSize: UNPACK_OCTETS }), label, signal);
  else if (begins(head, ZSTD)) yield* through(all, zstd(label), label, signal);
  else yield* all;
}

/** A source may hand over its first octets one by one. */
async function firstOctets(from: AsyncGenerator<Buffer>, count: number): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < count) {
    const next = await from.next();
    if (next.done) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  return head;
}

async function* rejoined(head: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (head.length > 0) yield head;
    yield* rest;
  } finally {
    // Also when nobody draws `rest`: it holds an open file.
    await rest.return(undefined);
  }
}

function zstd(label: string): Transform {
  const create = (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress;
  if (!create)
    throw refuseSource(`${label} is packed with zstd.`, 'zstd', 'gzip, or Node 22.15 or later for zstd');
  return create();
}

const UNPACK_OCTETS = 128 * 1024;

async function* through(
  packed: AsyncGenerator<Buffer>,
  unpack: Transform,
  label: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const out = new PassThrough({ highWaterMark: UNPACK_OCTETS });
  // The source's own failure must not be told as one of the archive.
  let sourceFailed: { error: unknown } | undefined;
  async function* watched(): AsyncGenerator<Buffer> {
    try {
      yield* packed;
    } catch (error) {
      sourceFailed = { error };
      throw error;
    }
  }
  const piping = pipeline(Readable.from(watched(), { objectMode: false }), unpack, out, { signal });
  piping.catch(() => {});
  try {
    for await (const chunk of out) yield chunk as Buffer;
    await piping;
  } catch (error) {
    if (sourceFailed) throw sourceFailed.error;
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code.startsWith('Z_') || code.startsWith('ZSTD')) {
      throw refuseSource(`${label} is damaged or cut off: it cannot be unpacked.`, code, 'a whole gzip file');
    }
    throw error;
  }
}
