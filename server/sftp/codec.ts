/** SFTP's wire types (draft-ietf-secsh-filexfer-02, sections 3 and 4): a bounds-checked reader and a growing writer. */
import { SpaceError } from '../../storage/types.js';
import { SftpError } from './error.js';

/** Reads a packet from its front. Every method throws SftpError `malformed` where the packet ends too early. */
export class PacketReader {
  #offset = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  /** Throws SpaceError `too_large` above 2^53 - 1: no file is that large, and a Number could not hold it exactly. */
  u64(): number {
    const at = this.#take(8);
    const high = this.#bytes.readUInt32BE(at);
    if (high > 0x1fffff) throw new SpaceError('too_large', 'a 64-bit number beyond 2^53');
    return high * 0x1_0000_0000 + this.#bytes.readUInt32BE(at + 4);
  }

  /** A view of the packet, not a copy. */
  string(): Buffer {
    const length = this.u32();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** What is left, as a view. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#take(this.remaining));
  }

  #take(length: number): number {
    const at = this.#offset;
    if (length > this.remaining)
      throw new SftpError('malformed', `a packet ends ${length - this.remaining} bytes too early`);
    this.#offset = at + length;
    return at;
  }
}

/** Writes a packet with its length in front. */
export class PacketWriter {
  #bytes: Buffer;
  #offset = 4;

  constructor(type: number, roomBytes = 128) {
    this.#bytes = Buffer.allocUnsafe(4 + roomBytes);
    this.u8(type);
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#bytes.writeUInt8(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#bytes.writeUInt32BE(value, at);
    return this;
  }

  u64(value: number): this {
    const at = this.#reserve(8);
    this.#bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at);
    this.#bytes.writeUInt32BE(value % 0x1_0000_0000, at + 4);
    return this;
  }

  string(value: string | Buffer): this {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    return this.u32(bytes.length).raw(bytes);
  }

  /** Bytes without their length in front. */
  raw(bytes: Buffer): this {
    const at = this.#reserve(bytes.length);
    bytes.copy(this.#bytes, at);
    return this;
  }

  finish(): Buffer {
    this.#bytes.writeUInt32BE(this.#offset - 4, 0);
    return this.#bytes.subarray(0, this.#offset);
  }

  /** May replace `bytes`, so that it comes before any look at them. */
  #reserve(length: number): number {
    const at = this.#offset;
    if (at + length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, at + length));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    this.#offset = at + length;
    return at;
  }
}
