import { headerLength, readUint32 } from './pdu.ts';

export interface FrameHandlers {
  /** One complete PDU in bytes[start, end). The bytes are only valid during the call. */
  onFrame(bytes: Buffer, start: number, end: number): void;
  /** The stream cannot be followed any further; nothing is read after this. */
  onHostileLength(commandLength: number): void;
}

/** Splits a byte stream into PDUs, however the reads cut it. Holds at most `maxPduBytes`. */
export class FrameReader {
  readonly #maxPduBytes: number;
  readonly #handlers: FrameHandlers;
  #carry = Buffer.allocUnsafe(4096);
  #carried = 0;
  #closed = false;

  constructor(maxPduBytes: number, handlers: FrameHandlers) {
    this.#maxPduBytes = maxPduBytes;
    this.#handlers = handlers;
  }

  /** Drops what is held and ignores every later byte. */
  close(): void {
    this.#closed = true;
    this.#carried = 0;
  }

  push(chunk: Buffer): void {
    let at = this.#carried > 0 ? this.#complete(chunk) : 0;
    const end = chunk.length;
    while (!this.#closed && end - at >= 4) {
      const length = readUint32(chunk, at);
      if (length < headerLength || length > this.#maxPduBytes) {
        this.#hostile(length);
        return;
      }
      if (length > end - at) break;
      this.#handlers.onFrame(chunk, at, at + length);
      at += length;
    }
    if (!this.#closed && at < end) this.#keep(chunk, at, end);
  }

  /** Fills the carried PDU from the chunk; returns how much of the chunk it took. */
  #complete(chunk: Buffer): number {
    let at = 0;
    if (this.#carried < 4) {
      at = Math.min(4 - this.#carried, chunk.length);
      this.#keep(chunk, 0, at);
      if (this.#carried < 4) return at;
    }
    const length = readUint32(this.#carry, 0);
    if (length < headerLength || length > this.#maxPduBytes) {
      this.#hostile(length);
      return chunk.length;
    }
    const taken = Math.min(length - this.#carried, chunk.length - at);
    this.#keep(chunk, at, at + taken);
    if (this.#carried === length) {
      this.#carried = 0;
      this.#handlers.onFrame(this.#carry, 0, length);
    }
    return at + taken;
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    const needed = this.#carried + to - from;
    if (needed > this.#carry.length) {
      const larger = Buffer.allocUnsafe(
        Math.min(Math.max(needed, 2 * this.#carry.length), Math.max(needed, this.#maxPduBytes)),
      );
      this.#carry.copy(larger, 0, 0, this.#carried);
      this.#carry = larger;
    }
    chunk.copy(this.#carry, this.#carried, from, to);
    this.#carried = needed;
  }

  #hostile(commandLength: number): void {
    this.close();
    this.#handlers.onHostileLength(commandLength);
  }
}
