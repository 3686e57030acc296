/** A bit a row. */
export class RowSet {
  #bits = new Uint8Array(8192);

  add(row: number): void {
    if (row < 0) return;
    if (row >> 3 >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(this.#bits.length * 2, (row >> 3) + 1));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    this.#bits[row >> 3]! |= 1 << (row & 7);
  }

  has(row: number): boolean {
    return ((this.#bits[row >> 3] ?? 0) & (1 << (row & 7))) !== 0;
  }

  clear(): void {
    this.#bits = new Uint8Array(8192);
  }
}
