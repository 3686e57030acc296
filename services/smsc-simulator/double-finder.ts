/** An open-addressing set of numbers in one typed array: 16 bytes an entry at most half full, no objects. */
export class NumberSet {
  #slots = new Float64Array(1024).fill(Number.NaN);
  size = 0;

  /** false if it was there. */
  add(value: number): boolean {
    if (this.size * 2 >= this.#slots.length) this.#grow();
    if (!this.#insert(this.#slots, value)) return false;
    this.size += 1;
    return true;
  }

  clear(): void {
    this.#slots = new Float64Array(1024).fill(Number.NaN);
    this.size = 0;
  }

  #insert(slots: Float64Array, value: number): boolean {
    const mask = slots.length - 1;
    let at = (value ^ (value / 4294967296)) & mask;
    while (!Number.isNaN(slots[at])) {
      if (slots[at] === value) return false;
      at = (at + 1) & mask;
    }
    slots[at] = value;
    return true;
  }

  #grow(): void {
    const larger = new Float64Array(this.#slots.length * 2).fill(Number.NaN);
    for (const value of this.#slots) if (!Number.isNaN(value)) this.#insert(larger, value);
    this.#slots = larger;
  }
}

function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** 53 bits over a destination and the texts of a message's parts: at 10 million messages, one false double in 180. */
export function messageHash(destinationKey: number, texts: readonly Uint8Array[]): number {
  let low = Math.imul(destinationKey % 0x7fffffff, 0x9e3779b1);
  let high = Math.imul(Math.floor(destinationKey / 0x7fffffff) + 1, 0x85ebca77) ^ low;
  for (const text of texts) {
    for (let i = 0; i < text.length; i++) {
      low = Math.imul(low ^ text[i]!, 0x01000193);
      high = (Math.imul(high ^ text[i]!, 0x5bd1e995) + i) | 0;
    }
  }
  return mix(low) * 0x20_0000 + (mix(high) >>> 11);
}
