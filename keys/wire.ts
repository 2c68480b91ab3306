/**
 * Reads and writes the wire format that SSH and SFTP share (RFC 4251, section 5): numbers in network byte order, strings
 * behind their length. The only reader and the only writer of it; the SFTP packets of server/sftp/codec.ts extend both.
 */
import { KeyError } from './error.js';

/** Reads from the front. Every method throws where the bytes end too early. */
export class WireReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get position(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  get isAtEnd(): boolean {
    return this.remaining === 0;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  /** A 64-bit number that may be beyond 2^53. */
  bigU64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#take(8));
  }

  /** A view of the bytes, not a copy. */
  string(): Buffer {
    const length = this.u32();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A string as Latin-1: names of algorithms and options are ASCII. */
  text(): string {
    return this.string().toString('latin1');
  }

  /** All strings up to the end. */
  strings(): Buffer[] {
    const strings: Buffer[] = [];
    while (!this.isAtEnd) strings.push(this.string());
    return strings;
  }

  /** The bytes that are left, as a view. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#take(this.remaining));
  }

  /** The error for bytes that end `missing` bytes too early. */
  protected cutShort(_missing: number): Error {
    return new KeyError('malformed', 'cut short');
  }

  #take(length: number): number {
    const at = this.#offset;
    if (length > this.remaining) throw this.cutShort(length - this.remaining);
    this.#offset = at + length;
    return at;
  }
}

/** Writes into a buffer that grows as needed. */
export class WireWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(expectedBytes = 128) {
    this.#bytes = Buffer.allocUnsafe(expectedBytes);
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

  /** `value` is an integer up to 2^53 - 1. */
  u64(value: number): this {
    const at = this.#reserve(8);
    this.#bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at);
    this.#bytes.writeUInt32BE(value % 0x1_0000_0000, at + 4);
    return this;
  }

  /** Text is written as UTF-8. */
  string(value: string | Buffer): this {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    return this.u32(bytes.length).raw(bytes);
  }

  /** A positive number in big-endian bytes: without needless zeros, and with one where the first bit would mean a minus. */
  mpint(bytes: Buffer): this {
    const first = bytes.findIndex((byte) => byte !== 0);
    const digits = first === -1 ? Buffer.alloc(0) : bytes.subarray(first);
    return this.string((digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits);
  }

  /** Bytes without their length in front. */
  raw(bytes: Buffer): this {
    const at = this.#reserve(bytes.length);
    bytes.copy(this.#bytes, at);
    return this;
  }

  /** The bytes written so far, as a view. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** May replace `#bytes`, so that it comes before any look at them. */
  #reserve(length: number): number {
    const at = this.#length;
    if (at + length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, at + length));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    this.#length = at + length;
    return at;
  }
}

/** One string alone: its length, then its bytes. */
export function encodeString(content: Buffer | string): Buffer {
  return new WireWriter(4 + Buffer.byteLength(content)).string(content).finish();
}

/** The type that the wire format of a key or certificate begins with; empty: it does not begin with one. */
export function typeOf(wire: Buffer): string {
  const length = wire.length >= 4 ? wire.readUInt32BE(0) : 0;
  return length > 64 ? '' : wire.subarray(4, 4 + length).toString('latin1');
}
