/** Reads the sealed chunks of an open file, at any offset or from end to end. */
import { chunkBytes, openChunk, SealError, sealedChunkBytes, tagBytes } from './chunk.js';
import type { DiskFile } from './disk.js';
import type { AheadShare } from './readahead.js';

/** Chunks that a sequential reader takes from the disk at once: 1 MiB. */
const readAheadChunks = 16;

/** The file and position of a payload, and its size. */
export interface PayloadPlace {
  file: DiskFile;
  key: Buffer;
  /** File offset of the first chunk. */
  start: number;
  /** Plaintext bytes. */
  size: number;
  /** Number of the chunk that is flagged as the last; null while more are being written. */
  lastChunk: number | null;
}

interface Window {
  first: number;
  count: number;
  sealed: Buffer;
}

const noWindow: Window = { first: 0, count: 0, sealed: Buffer.alloc(0) };

/** Every method throws SealError when the sealed bytes were changed, and errors of the file system as they come. */
export class PayloadReader {
  readonly #place: PayloadPlace;
  /** Sealed bytes read ahead; kept for the next read, and their memory for the next window. */
  #window: Window = noWindow;
  #memory: Buffer = Buffer.alloc(0);
  /** The read under way: the next one waits for it, because it may put a new window into the same memory. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The chunk opened last: a sequential reader comes back for its rest. */
  #opened: { index: number; plain: Buffer } | null = null;
  #expectedOffset = 0;
  /** null: it keeps as much as it needs. */
  readonly #ahead: AheadShare | null;
  #isClosed = false;

  constructor(place: PayloadPlace, ahead: AheadShare | null = null) {
    this.#place = place;
    this.#ahead = ahead;
  }

  /** Opens the last chunk, too: a payload that was cut off at a chunk's edge has none that is flagged so. */
  static async open(place: PayloadPlace, ahead?: AheadShare): Promise<PayloadReader> {
    const reader = new PayloadReader(place, ahead);
    try {
      await reader.#verifyEnd();
      return reader;
    } catch (error) {
      reader.close();
      throw error;
    }
  }

  /** Of a payload of one chunk that has been read; null: that is not its last one, so that more of it must be in the file. */
  static ofWhole(place: PayloadPlace, sealed: Buffer): PayloadReader | null {
    const reader = new PayloadReader(place);
    try {
      reader.#open(0, { first: 0, count: 1, sealed });
      return reader;
    } catch (error) {
      if (error instanceof SealError) return null;
      throw error;
    }
  }

  /** Gives its memory back; it reads no more. */
  close(): void {
    this.#isClosed = true;
    this.#ahead?.release(this.#memory.length);
    this.#memory = Buffer.alloc(0);
    this.#window = noWindow;
  }

  async #verifyEnd(): Promise<void> {
    const last = this.#place.lastChunk;
    if (last !== null) this.#open(last, await this.#load(last, last, false));
  }

  read(offset: number, length: number): Promise<Buffer> {
    const turn = this.#turn.then(() => this.#read(offset, length));
    this.#turn = turn.catch(() => {}); // thrown to its own caller
    return turn;
  }

  async #read(offset: number, length: number): Promise<Buffer> {
    const end = Math.min(offset + length, this.#place.size);
    if (offset >= end) return Buffer.alloc(0);
    const isSequential = offset === this.#expectedOffset;
    this.#expectedOffset = end;
    const first = Math.floor(offset / chunkBytes);
    const last = Math.floor((end - 1) / chunkBytes);
    const window = await this.#load(first, last, isSequential);
    const plain = Buffer.allocUnsafe(end - offset);
    for (let index = first; index <= last; index++) {
      const from = Math.max(offset, index * chunkBytes);
      const to = Math.min(end, (index + 1) * chunkBytes);
      this.#open(index, window).copy(plain, from - offset, from - index * chunkBytes, to - index * chunkBytes);
    }
    return plain;
  }

  /** Every chunk from the first to the last; the next ones are read while one is used. */
  async *stream(): AsyncGenerator<Buffer, void, void> {
    const end = this.#chunkCount();
    if (end === 1 && this.#opened !== null) {
      if (this.#opened.plain.length > 0) yield this.#opened.plain; // which was opened to verify the end
      return;
    }
    // The second one is for a file of more than one window.
    const memories = [0, readAheadChunks].map((first) => Buffer.allocUnsafe(this.#sealedBytes(first, readAheadChunks)));
    let next = this.#readSealed(0, Math.min(readAheadChunks, end), memories[0]!);
    let isWhole = false;
    try {
      for (let first = 0; first < end; first += readAheadChunks) {
        const window = await next;
        const after = first + readAheadChunks;
        if (after < end) {
          next = this.#readSealed(after, Math.min(readAheadChunks, end - after), memories.reverse()[0]!);
          next.catch(() => {}); // thrown where it is awaited
        }
        for (let index = first; index < first + window.count; index++) {
          const plain = openChunk(this.#place.key, index, index === this.#place.lastChunk, sealedIn(window, index));
          if (plain.length > 0) yield plain;
        }
      }
      isWhole = true;
    } finally {
      if (!isWhole) this.#place.file.abandon?.();
      await next.catch(() => {}); // the file may be closed as soon as this ends
    }
  }

  async #load(first: number, last: number, isSequential: boolean): Promise<Window> {
    const { first: start, count } = this.#window;
    if (first >= start && last < start + count) return this.#window;
    const needed = last - first + 1;
    const wanted = isSequential ? Math.max(readAheadChunks, needed) : needed;
    const chunks = Math.min(wanted, this.#chunkCount() - first);
    if (!this.#reserve(this.#sealedBytes(first, chunks)))
      return this.#readSealed(first, needed, Buffer.allocUnsafe(this.#sealedBytes(first, needed)));
    this.#window = noWindow; // in case the read fails half way
    this.#window = await this.#readSealed(first, chunks, this.#memory);
    return this.#window;
  }

  /** Makes the memory for a window at least so large. false: other readers have it. */
  #reserve(bytes: number): boolean {
    if (this.#memory.length >= bytes) return true;
    if (this.#isClosed || this.#ahead?.take(bytes - this.#memory.length) === false) return false;
    this.#memory = Buffer.allocUnsafe(bytes);
    return true;
  }

  async #readSealed(first: number, count: number, memory: Buffer): Promise<Window> {
    const { file, start } = this.#place;
    const from = first * sealedChunkBytes;
    const sealed = memory.subarray(0, this.#sealedBytes(first, count));
    for (let filled = 0; filled < sealed.length; ) {
      const { bytesRead } = await file.read(sealed, filled, sealed.length - filled, start + from + filled);
      if (bytesRead === 0) throw new SealError(`the file ends before chunk ${first + count - 1} does`);
      filled += bytesRead;
    }
    return { first, count, sealed };
  }

  #open(index: number, window: Window): Buffer {
    if (this.#opened?.index === index) return this.#opened.plain;
    const plain = openChunk(this.#place.key, index, index === this.#place.lastChunk, sealedIn(window, index));
    this.#opened = { index, plain };
    return plain;
  }

  /** Bytes on the disk of at most `count` chunks from the first one on. */
  #sealedBytes(first: number, count: number): number {
    const sealedEnd = this.#place.size + this.#chunkCount() * tagBytes;
    const from = Math.min(first * sealedChunkBytes, sealedEnd);
    return Math.min(from + count * sealedChunkBytes, sealedEnd) - from;
  }

  #chunkCount(): number {
    const { size, lastChunk } = this.#place;
    return lastChunk === null ? size / chunkBytes : lastChunk + 1;
  }
}

function sealedIn(window: Window, index: number): Buffer {
  const from = (index - window.first) * sealedChunkBytes;
  return window.sealed.subarray(from, from + sealedChunkBytes);
}
