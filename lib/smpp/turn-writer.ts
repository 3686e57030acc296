import type { Socket } from 'node:net';

/**
 * Gathers what one turn of the event loop writes into one socket write, and lets only one write lie in the socket's
 * buffer: what is gathered meanwhile waits here, where it can still be taken back.
 */
export class TurnWriter {
  readonly #socket: Socket;
  readonly #beforeWrite: () => void;
  readonly #afterWrite: () => void;
  readonly #flush = (): void => this.flush();
  #spare: Buffer;
  #scheduled = false;
  #writes = 0;
  #waitingFor = 0;
  /** What is gathered: bytes[0, length). `beforeWrite` may take parts of it out. */
  bytes: Buffer;
  length = 0;

  /**
   * `beforeWrite` runs immediately before each socket write; `afterWrite` once the bytes are out of our hands, and
   * again when the socket has taken a write that had to wait.
   */
  constructor(socket: Socket, beforeWrite: () => void, afterWrite: () => void, initialBytes = 16 * 1024) {
    this.#socket = socket;
    this.#beforeWrite = beforeWrite;
    this.#afterWrite = afterWrite;
    this.bytes = Buffer.allocUnsafeSlow(initialBytes);
    this.#spare = Buffer.allocUnsafeSlow(initialBytes);
  }

  /** The kernel's buffer is full: a write lies in the socket. */
  get busy(): boolean {
    return this.#waitingFor !== 0;
  }

  /** Makes room for `count` more bytes at `length`, and sees to it that they are written at the end of this turn. */
  reserve(count: number): void {
    if (this.length + count > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.length + count, 2 * this.bytes.length));
      this.bytes.copy(larger, 0, 0, this.length);
      this.bytes = larger;
    }
    if (!this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(this.#flush);
    }
  }

  append(pdu: Uint8Array): void {
    this.reserve(pdu.length);
    this.bytes.set(pdu, this.length);
    this.length += pdu.length;
  }

  flush(): void {
    this.#scheduled = false;
    if (this.#waitingFor !== 0 || this.length === 0 || this.#socket.destroyed || this.#socket.writableEnded)
      return;
    this.#beforeWrite();
    if (this.length === 0) {
      this.#afterWrite();
      return;
    }
    const written = this.bytes;
    const length = this.length;
    this.bytes = this.#spare;
    this.#spare = written;
    this.length = 0;
    this.#writes += 1;
    const write = this.#writes;
    this.#socket.write(written.subarray(0, length), () => this.#taken(write));
    // The kernel usually takes it all within the call; only otherwise do the bytes stay ours to keep untouched.
    if (this.#socket.writableLength > 0) this.#waitingFor = write;
    this.#afterWrite();
  }

  #taken(write: number): void {
    if (this.#waitingFor !== write) return;
    this.#waitingFor = 0;
    this.flush();
    if (this.#waitingFor === 0) this.#afterWrite();
  }
}
