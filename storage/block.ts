/** A buffer for some chunks of plaintext, each followed by room for its tag, so that they are sealed in place. */
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

  /** The chunks with the room for their tags; `sealChunks` seals them in place. */
  get sealed(): Buffer {
    return this.#memory.subarray(0, this.#length + this.chunks * tagBytes);
  }

  clear(): void {
    this.#length = 0;
  }

  /** Copies as many bytes as fit, and returns how many. */
  append(bytes: Buffer): number {
    const end = Math.min(this.#length + bytes.length, (this.#memory.length / sealedChunkBytes) * chunkBytes);
    const taken = bytes.subarray(0, end - this.#length);
    this.#length = end;
    this.patch(end - taken.length, taken);
    return taken.length;
  }

  /** Overwrites plaintext from `offset`, within the plaintext. */
  patch(offset: number, bytes: Buffer): void {
    let done = 0;
    for (const part of this.#parts(offset, offset + bytes.length)) done += bytes.copy(part, 0, done);
  }

  /** A copy of the plaintext from `from` to `to`, within the plaintext. */
  read(from: number, to: number): Buffer {
    return Buffer.concat([...this.#parts(from, to)]);
  }

  cut(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  /** The parts of the memory that hold the plaintext from `from` to `to`, chunk by chunk. */
  *#parts(from: number, to: number): Generator<Buffer, void, void> {
    for (let at = from; at < to; ) {
      const index = Math.floor(at / chunkBytes);
      const end = Math.min(to, (index + 1) * chunkBytes);
      yield this.#memory.subarray(at + index * tagBytes, end + index * tagBytes);
      at = end;
    }
  }
}
