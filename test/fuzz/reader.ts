/** How the model reads packets: on its own, so that a mistake of the codec's is not the model's too. */

/** The packet ends before its fields do, or its length is one that no packet has. */
export class ShortPacket extends Error {}

/** A field that is whole, and asks for something that is not done. */
export class Refusal extends Error {}

export class FieldReader {
  #at = 0;

  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw new ShortPacket();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  u8(): number {
    return this.take(1)[0]!;
  }

  u32(): number {
    return Number(BigInt(`0x${this.take(4).toString('hex')}`));
  }

  /** As u32, and leaves it there. */
  peek32(): number {
    const value = this.u32();
    this.#at -= 4;
    return value;
  }

  /** Throws Refusal beyond 2^53 - 1. */
  u64(): number {
    const value = BigInt(`0x${this.take(8).toString('hex')}`);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Refusal();
    return Number(value);
  }

  string(): Buffer {
    return this.take(this.u32());
  }

  /** The size that is set; null: none is. */
  attributes(): number | null {
    const flags = this.u32();
    const size = (flags & 1) !== 0 ? this.u64() : null;
    for (const [flag, length] of [[2, 8] as const, [4, 4] as const, [8, 8] as const])
      if ((flags & flag) !== 0) this.take(length);
    if ((flags & 0x8000_0000) !== 0)
      for (let count = this.u32(); count > 0; count--) {
        this.string();
        this.string();
      }
    return size;
  }
}

/** Cuts a stream into packets. null from `next`: more is needed; throws ShortPacket on a length that no packet has. */
export class PacketCutter {
  #bytes = Buffer.alloc(0);

  readonly #longest: number;

  constructor(longest: number) {
    this.#longest = longest;
  }

  push(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
  }

  next(): Buffer | null {
    if (this.#bytes.length < 4) return null;
    const length = this.#bytes.readUInt32BE(0);
    if (length === 0 || length > this.#longest) throw new ShortPacket();
    if (this.#bytes.length < 4 + length) return null;
    const packet = this.#bytes.subarray(4, 4 + length);
    this.#bytes = this.#bytes.subarray(4 + length);
    return packet;
  }

  get isEmpty(): boolean {
    return this.#bytes.length === 0;
  }
}
