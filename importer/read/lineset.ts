/** A set of line numbers, one bit for each: a million lines take 125 kB. */
export class LineSet {
  #bits = new Uint8Array(1024);

  add(line: number): void {
    const byte = line >>> 3;
    if (byte >= this.#bits.length) {
      const larger = new Uint8Array(2 ** Math.ceil(Math.log2(byte + 1)));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    this.#bits[byte]! |= 1 << (line & 7);
  }

  has(line: number): boolean {
    return ((this.#bits[line >>> 3] ?? 0) & (1 << (line & 7))) !== 0;
  }
}
