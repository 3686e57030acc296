const rowsPerPage = 65_536;

type Column = Float64Array | Uint32Array | Int32Array | Uint16Array | Uint8Array;

/** A typed column that grows page by page: no copy of what is there, so no pause however long it gets. */
export class PagedColumn<C extends Column> {
  readonly #make: (length: number) => C;
  #pages: C[] = [];

  constructor(make: (length: number) => C) {
    this.#make = make;
  }

  set(row: number, value: number): void {
    const page = row >>> 16;
    if (page === this.#pages.length) this.#pages.push(this.#make(rowsPerPage));
    this.#pages[page]![row & 0xffff] = value;
  }

  get(row: number): number {
    return this.#pages[row >>> 16]![row & 0xffff]!;
  }

  clear(): void {
    this.#pages = [];
  }
}

const blockBytes = 4 * 1024 * 1024;
const maxArenaBytes = 0xffff_0000;

/** Bytes of all texts, one behind the other, in blocks outside the JavaScript heap. A text never straddles two. */
export class TextArena {
  #blocks: Buffer[] = [];
  #used = blockBytes;

  /** Returns the offset, or undefined when 4 GiB are full. */
  add(bytes: Buffer, from: number, to: number): number | undefined {
    const length = to - from;
    if (this.#used + length > blockBytes) {
      if ((this.#blocks.length + 1) * blockBytes > maxArenaBytes || length > blockBytes) return undefined;
      this.#blocks.push(Buffer.allocUnsafeSlow(blockBytes));
      this.#used = 0;
    }
    const block = this.#blocks.length - 1;
    bytes.copy(this.#blocks[block]!, this.#used, from, to);
    const offset = block * blockBytes + this.#used;
    this.#used += length;
    return offset;
  }

  read(offset: number, length: number): Buffer {
    const at = offset % blockBytes;
    return this.#blocks[Math.floor(offset / blockBytes)]!.subarray(at, at + length);
  }

  clear(): void {
    this.#blocks = [];
    this.#used = blockBytes;
  }
}
