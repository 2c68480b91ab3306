/** Writes replies to the client, and makes the session wait for a client that does not read them. */
import type { Writable } from 'node:stream';
import type { MemoryShare } from '../../intake/memory.js';
import type { Reply } from './reply.js';

/** Bytes in the outlet's buffer past which replies wait. */
const mostOutletBytes = 1024 * 1024;
/** The bound of the stream and of the outlet while the organization uses much of its memory. */
const tightBytes = 256 * 1024;

/** The data of one SSH packet for OpenSSH and most clients. */
const packetBytes = 32 * 1024;

/** Answers up to this size are gathered. */
const mostSmallBytes = 512;

export class ReplyStream {
  #gathered: Buffer[] = [];
  #flushed: Promise<void> | null = null;
  #isClosed = false;
  #isHeld = false;
  /** Given to the stream, which has not passed them on. */
  #unsentBytes = 0;
  #waiting: (() => void)[] = [];

  /** `outlet`: where the stream's bytes end up, when the stream itself doesn't wait for it (an SSH channel's socket). */
  readonly #stream: Writable;
  readonly #outlet: Writable | null;
  readonly #memory: MemoryShare;

  constructor(stream: Writable, outlet: Writable | null, memory: MemoryShare) {
    this.#memory = memory;
    this.#stream = stream;
    this.#outlet = outlet;
    stream.on('drain', this.#onDrain);
    outlet?.on('drain', this.#onDrain);
    // Of these no callback of a write may come any more.
    stream.once('close', this.#onClose);
    outlet?.once('close', this.#onClose);
  }

  /** Resolves when the next reply may be sent. Replies to a client that is gone are dropped. */
  async send(reply: Reply): Promise<void> {
    if (this.#isClosed) return;
    if (Buffer.isBuffer(reply) && reply.length <= mostSmallBytes) {
      await this.#gather(reply);
    } else {
      // Answers keep their order: the first one of all is that to INIT.
      this.#writeGathered();
      if (Buffer.isBuffer(reply)) this.#write(reply);
      else this.#writeInParts(reply);
    }
    if (this.#isCongested()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** While it is held, `send` does not resolve. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#onDrain();
  }

  /** Drops all further replies and ends all waits. */
  close(): void {
    this.#isClosed = true;
    this.#stream.off('drain', this.#onDrain);
    this.#outlet?.off('drain', this.#onDrain);
    this.#release();
  }

  readonly #onClose = (): void => {
    this.close();
    this.#stream.off('close', this.#onClose);
    this.#outlet?.off('close', this.#onClose);
    this.#memory.release(this.#unsentBytes);
    this.#unsentBytes = 0;
  };

  /**
   * Small answers leave together when the turn of the event loop ends: a fast client sends several WRITEs a turn, and
   * each write to the socket costs a tenth of a millisecond. Resolves when it has left.
   */
  #gather(reply: Buffer): Promise<void> {
    this.#gathered.push(reply);
    this.#flushed ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#flushed = null;
        this.#writeGathered();
        resolve();
      });
    });
    return this.#flushed;
  }

  #writeGathered(): void {
    const replies = this.#gathered;
    this.#gathered = [];
    if (!this.#isClosed && replies.length > 0) this.#write(replies.length === 1 ? replies[0]! : Buffer.concat(replies));
  }

  /** Counts the bytes until the stream has passed them on, or is gone. */
  #write(bytes: Buffer): void {
    this.#memory.add(bytes.length);
    this.#unsentBytes += bytes.length;
    this.#stream.write(bytes, () => {
      const released = Math.min(bytes.length, this.#unsentBytes);
      this.#unsentBytes -= released;
      if (released > 0) this.#memory.release(released);
      if (this.#waiting.length > 0) this.#onDrain();
    });
  }

  /** Writes the content without a copy, except for its front, which fills the packet that the header begins. */
  #writeInParts([header, content]: readonly [Buffer, Buffer]): void {
    const frontBytes = Math.min(content.length, packetBytes - header.length);
    // The SSH layer cuts this into packets and writes each to the socket: corked, they are one system call.
    this.#outlet?.cork();
    this.#write(Buffer.concat([header, content.subarray(0, frontBytes)]));
    if (frontBytes < content.length) this.#write(content.subarray(frontBytes));
    this.#outlet?.uncork();
  }

  #isCongested(): boolean {
    return (
      !this.#isClosed &&
      (this.#isHeld ||
        this.#stream.writableNeedDrain ||
        (this.#outlet !== null && this.#outlet.writableLength > mostOutletBytes) ||
        (this.#memory.isTight &&
          (this.#stream.writableLength > tightBytes || (this.#outlet?.writableLength ?? 0) > tightBytes)))
    );
  }

  readonly #onDrain = (): void => {
    if (!this.#isCongested()) this.#release();
  };

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
