/** The open end of a payload: room for some chunks of plaintext, each beside the place of its tag, to be sealed where it lies. */
import { chunkBytes, sealedChunkBytes, tagBytes } from './chunk.js';

export class Block {
  readonly #memory: Buffer;
  #length = 0;

  /** `memory`: a whole number of sealed chunks. */
  constructor(memory: Buffer) {
    this.#memory = memory;
  }

  static ofChunks(chunks: number): Block {
    return new Block(Buffer.allocUnsafeSlow(chunks * sealedChunkBytes));
  }

  /** Plaintext bytes. */
  get length(): number {
    return this.#length;
  }

  /** An empty block is one chunk, the only one of an empty file. */
  get chunks(): number {
    return Math.max(1, Math.ceil(this.#length / chunkBytes));
  }

  /** The chunks with their tags. What lies there is sealed only after `sealChunks` was there. */
  get sealed(): Buffer {
    return this.#memory.subarray(0, this.#length + this.chunks * tagBytes);
  }

  clear(): void {
    this.#length = 0;
  }

  /** Takes what there is room for, and returns how much that was. */
  append(bytes: Buffer): number {
    const end = Math.min(this.#length + bytes.length, (this.#memory.length / sealedChunkBytes) * chunkBytes);
    const taken = bytes.subarray(0, end - this.#length);
    this.#length = end;
    this.patch(end - taken.length, taken);
    return taken.length;
  }

  /** Overwrites plaintext from `offset`, within what is there. */
  patch(offset: number, bytes: Buffer): void {
    let done = 0;
    for (const part of this.#parts(offset, offset + bytes.length)) done += bytes.copy(part, 0, done);
  }

  /** A copy of the plaintext from `from` to `to`, within what is there. */
  read(from: number, to: number): Buffer {
    return Buffer.concat([...this.#parts(from, to)]);
  }

  cut(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  /** Where the plaintext from `from` to `to` lies, chunk by chunk. */
  *#parts(from: number, to: number): Generator<Buffer, void, void> {
    for (let at = from; at < to; ) {
      const index = Math.floor(at / chunkBytes);
      const end = Math.min(to, (index + 1) * chunkBytes);
      yield this.#memory.subarray(at + index * tagBytes, end + index * tagBytes);
      at = end;
    }
  }
}
