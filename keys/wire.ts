/** Reads and writes SSH's wire format (RFC 4251, section 5), as far as keys, certificates and signatures need it. */
import { KeyError } from './error.js';

export class WireReader {
  #offset = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get position(): number {
    return this.#offset;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  u8(): number {
    return this.#take(1)[0]!;
  }

  u32(): number {
    return this.#take(4).readUInt32BE(0);
  }

  u64(): bigint {
    return this.#take(8).readBigUInt64BE(0);
  }

  string(): Buffer {
    return this.#take(this.u32());
  }

  text(): string {
    return this.string().toString('latin1');
  }

  #take(length: number): Buffer {
    if (length > this.#bytes.length - this.#offset) throw new KeyError('malformed', 'cut short');
    this.#offset += length;
    return this.#bytes.subarray(this.#offset - length, this.#offset);
  }
}

export function wireString(content: Buffer | string): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length, 0);
  return Buffer.concat([length, bytes]);
}

/** The type that a key's or certificate's wire format begins with; empty: it does not begin with one. */
export function typeOf(wire: Buffer): string {
  const length = wire.length >= 4 ? wire.readUInt32BE(0) : 0;
  return length > 64 ? '' : wire.subarray(4, 4 + length).toString('latin1');
}
