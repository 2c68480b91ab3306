/** Cuts a byte stream into SFTP packets, without copying those that lie whole in one chunk. */
import { SftpError } from './error.js';

/** A packet's length without its length field: 256 KiB of data (PuTTY and old clients ask for that much), and the fields around it. */
export const longestPacket = 256 * 1024 + 1024;

/** Assembly buffers kept for the next packet: fresh ones of this size cost page faults, about a tenth of the upload speed. */
const keptBuffers = 4;

/** Buffers below this come from Node's own pool, which is as fast. */
const smallPacket = 4096;

export class Framer {
  #chunks: Buffer[] = [];
  #offset = 0;
  readonly #header = Buffer.alloc(4);
  #headerFilled = 0;
  #packet: Buffer | null = null;
  #packetFilled = 0;
  readonly #spare: Buffer[] = [];

  push(chunk: Buffer): void {
    if (chunk.length > 0) this.#chunks.push(chunk);
  }

  /** Whether the stream could end here: between two packets. */
  get isBetweenPackets(): boolean {
    return this.#chunks.length === 0 && this.#packet === null && this.#headerFilled === 0;
  }

  /**
   * The next packet without its length field, or null when more bytes are needed. It is valid until `recycle`.
   * Throws SftpError `malformed` on a length that no packet has.
   */
  next(): Buffer | null {
    for (;;) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) return null;
      if (this.#packet !== null) {
        const packet = this.#fillPacket(chunk, this.#packet);
        if (packet !== null) return packet;
      } else if (this.#headerFilled > 0 || chunk.length - this.#offset < 4) {
        this.#fillHeader(chunk);
      } else {
        const length = checkLength(chunk.readUInt32BE(this.#offset));
        this.#advance(chunk, 4);
        if (this.#chunks[0] === chunk && chunk.length - this.#offset >= length) {
          const packet = chunk.subarray(this.#offset, this.#offset + length);
          this.#advance(chunk, length);
          return packet;
        }
        this.#beginPacket(length);
      }
    }
  }

  /** Reuses a packet's memory: the caller must not use the packet afterwards. */
  recycle(packet: Buffer): void {
    // Only assembly buffers have exactly this size: a packet inside a chunk shares a buffer of another one.
    if (packet.buffer.byteLength === longestPacket && this.#spare.length < keptBuffers)
      this.#spare.push(Buffer.from(packet.buffer));
  }

  #fillHeader(chunk: Buffer): void {
    const copied = chunk.copy(this.#header, this.#headerFilled, this.#offset);
    this.#headerFilled += copied;
    this.#advance(chunk, copied);
    if (this.#headerFilled < 4) return;
    this.#headerFilled = 0;
    this.#beginPacket(checkLength(this.#header.readUInt32BE(0)));
  }

  #beginPacket(length: number): void {
    const buffer =
      length < smallPacket ? Buffer.allocUnsafe(length) : (this.#spare.pop() ?? Buffer.allocUnsafeSlow(longestPacket));
    this.#packet = buffer.subarray(0, length);
    this.#packetFilled = 0;
  }

  #fillPacket(chunk: Buffer, packet: Buffer): Buffer | null {
    const copied = chunk.copy(packet, this.#packetFilled, this.#offset);
    this.#packetFilled += copied;
    this.#advance(chunk, copied);
    if (this.#packetFilled < packet.length) return null;
    this.#packet = null;
    return packet;
  }

  #advance(chunk: Buffer, length: number): void {
    this.#offset += length;
    if (this.#offset < chunk.length) return;
    this.#chunks.shift();
    this.#offset = 0;
  }
}

function checkLength(length: number): number {
  if (length === 0 || length > longestPacket) throw new SftpError('malformed', `a packet of ${length} bytes`);
  return length;
}
