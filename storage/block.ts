/** A buffer for some chunks of plaintext, each followed by room for its tag, so that they are sealed in place. */
import { chunkBytes, sealedChunkBytes, tagBytes } from './chunk.js';

/** Of a block whose memory grows. */
const firstBytes = 4096;

export class Block {
  #memory: Buffer;
  /** Bytes that the memory may grow to: a whole number of sealed chunks. */
  readonly #capacity: number;
  #length = 0;

  /** `memory`: a whole number of sealed chunks. */
  constructor(memory: Buffer, capacity = memory.length) {
    this.#memory = memory;
    this.#capacity = capacity;
  }

  /** Its memory grows with its content: most files are far smaller than a chunk. */
  static ofChunks(chunks: number): Block {
    return new Block(Buffer.allocUnsafeSlow(firstBytes), chunks * sealedChunkBytes);
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

  /**
   * Gives its memory away: until `attach` there is nothing to read and no room to write.
   * The memory must be a buffer of its own, and no part of one.
   */
  detach(): ArrayBuffer {
    const memory = this.#memory.buffer as ArrayBuffer;
    this.#memory = Buffer.alloc(0);
    return memory;
  }

  /** Takes its memory back, with its content. */
  attach(memory: ArrayBuffer): void {
    this.#memory = Buffer.from(memory);
  }

  /** Whether it has its memory. */
  get isAttached(): boolean {
    return this.#memory.length > 0;
  }

  clear(): void {
    this.#length = 0;
  }

  /** Copies as many bytes as fit, and returns how many. */
  append(bytes: Buffer): number {
    const end = Math.min(this.#length + bytes.length, (this.#capacity / sealedChunkBytes) * chunkBytes);
    const taken = bytes.subarray(0, end - this.#length);
    this.#length = end;
    this.#reserve(end + this.chunks * tagBytes);
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

  #reserve(bytes: number): void {
    if (bytes <= this.#memory.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.min(this.#capacity, Math.max(bytes, this.#memory.length * 4)));
    this.#memory.copy(larger);
    this.#memory = larger;
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
