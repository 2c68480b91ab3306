/** Writes a sealed file: takes plaintext in order and seals it chunk by chunk, so that no plaintext reaches the disk. */
import type { NewHeader } from './age.js';
import { Block } from './block.js';
import { chunkBytes, tagBytes } from './chunk.js';
import type { Destination } from './destination.js';
import { FileWriter } from './filewriter.js';
import { PayloadReader } from './payloadreader.js';
import { createSealer, type Sealer } from './sealer.js';
import type { SealingThreads } from './sealingpool.js';
import { SpaceError } from './types.js';

export interface SealedBlob {
  id: string;
  /** Plaintext bytes. */
  size: number;
  sealedSize: number;
  /** Of the plaintext, hex. */
  sha256: string;
  /** The key id of the recipient. */
  sealedTo: string;
  /** Of the place with its bytes, if that is not the first one. */
  placeNumber?: number;
  /** Of a small file that is not synced: its sealed bytes, which must be durable with its row. */
  unsynced?: Buffer;
}

/** Needed to read an unfinished file back. */
export interface PartialSecret {
  payloadKey: Buffer;
  /** Where the payload begins. */
  headerBytes: number;
}

/**
 * Steps that a crash can separate: all bytes sealed, all on the disk, the file under its final name. A small file that is synced later
 * has none of its bytes on the disk at the second one.
 */
export type SealStep = 'sealed' | 'synced' | 'moved';

/** Calls come one after the other. Every method throws SpaceError `failed` when the disk fails. */
export class BlobWriter {
  readonly #to: Destination;
  readonly #header: NewHeader;
  readonly #writer: FileWriter;
  /** Threads that take over once there is more than a chunk; null: none, or they have. */
  #sealingThreads: SealingThreads | null;
  #sealer: Sealer;
  /** Plaintext that is not sealed yet: only the next write shows whether it is the last block. */
  #block = Block.ofChunks(1);
  #sealedChunks = 0;
  /** From the sealer to the disk, block after block. */
  #line: Promise<void> = Promise.resolve();
  #syncFailure: Error | null = null;
  readonly #placeNumber: number;

  constructor(to: Destination, header: NewHeader, sealingThreads: SealingThreads | null, placeNumber = 0) {
    this.#placeNumber = placeNumber;
    this.#to = to;
    this.#header = header;
    this.#sealingThreads = sealingThreads;
    this.#sealer = createSealer(header.payloadKey);
    this.#writer = new FileWriter(to.file);
    this.#writer.push(header.bytes);
  }

  get id(): string {
    return this.#to.id;
  }

  /** Plaintext bytes taken so far. */
  get size(): number {
    return this.sealedBytes + this.#block.length;
  }

  /** Plaintext bytes that are sealed, and can be read back after a crash once they are written. */
  get sealedBytes(): number {
    return this.#sealedChunks * chunkBytes;
  }

  get secret(): PartialSecret {
    return { payloadKey: this.#header.payloadKey, headerBytes: this.#header.bytes.length };
  }

  /** Appends, and keeps no reference to `bytes`. Resolves at once while the disk keeps up. */
  write(bytes: Buffer): Promise<void> {
    const taken = this.#block.append(bytes);
    return this.#guard(taken === bytes.length ? this.#writer.room() : this.#writeOn(bytes.subarray(taken)));
  }

  /** Overwrites bytes that are not sealed yet; false, and nothing done, when some are. */
  patch(offset: number, bytes: Buffer): boolean {
    if (offset < this.sealedBytes || offset + bytes.length > this.size) return false;
    this.#block.patch(offset - this.sealedBytes, bytes);
    return true;
  }

  /** Drops the end; false, and nothing done, when that would cut into sealed chunks. */
  truncate(size: number): boolean {
    if (size > this.size || (size <= this.sealedBytes && this.#sealedChunks > 0)) return false;
    this.#block.cut(size - this.sealedBytes);
    return true;
  }

  /** Reads written bytes back with the key that this process still holds. */
  async read(offset: number, length: number): Promise<Buffer> {
    const end = Math.min(offset + length, this.size);
    if (offset >= end) return Buffer.alloc(0);
    const sealed = await this.#guard(this.#readSealed(offset, end));
    const from = Math.max(0, offset - this.sealedBytes);
    return Buffer.concat([sealed, this.#block.read(from, Math.max(0, end - this.sealedBytes))]);
  }

  /** Pushes the sealed chunks to the disk; the open one follows with `finish`. */
  sync(): Promise<void> {
    return this.#guard(this.#drain().then(() => this.#sync(() => this.#to.file.datasync())));
  }

  /** Seals the end, and puts the file in its place so that it survives a power cut. */
  finish(onStep: (step: SealStep) => void = () => {}): Promise<SealedBlob> {
    return this.#guard(this.#finish(onStep));
  }

  /**
   * Ends the file where it is, and keeps it as a partial, so that it survives a power cut and a later upload goes on from
   * there. One byte less than was written is kept, unless `keepsLast`: of an upload that lacks nothing but its CLOSE,
   * a client that compares sizes would believe that it is complete, and never close it. Returns the plaintext bytes that are
   * kept; 0: none, and no file.
   */
  async park(keepsLast = false): Promise<number> {
    const size = Math.max(0, this.size - (keepsLast ? 0 : 1));
    if (size === 0) await this.discard();
    else await this.#guard(this.#park(size));
    return size;
  }

  /**
   * Removes the partial file; after a failed `finish` too.
   * @param isOwn false: another server has taken the upload over, and keeps its bytes in the store
   */
  async discard(isOwn = true): Promise<void> {
    await this.#line.catch(() => {});
    await this.#writer.settle();
    this.#sealer.end();
    await this.#guard(isOwn ? this.#to.discard() : this.#to.leave());
  }

  /** The open block is full, and more comes. */
  async #writeOn(bytes: Buffer): Promise<void> {
    for (let taken = 0; taken < bytes.length; taken += this.#block.append(bytes.subarray(taken))) {
      if (this.#sealingThreads !== null) await this.#handOver(this.#sealingThreads);
      else {
        this.#ship(false);
        this.#block = await this.#sealer.take();
      }
    }
    await this.#writer.room();
  }

  /** Passes the rest of the upload to a sealing thread, if one is free, before anything is sealed. */
  async #handOver(sealingThreads: SealingThreads): Promise<void> {
    this.#sealingThreads = null;
    const sealer = sealingThreads.begin(this.#header.payloadKey);
    if (sealer === null) return;
    this.#sealer = sealer;
    const block = await sealer.take();
    block.append(this.#block.read(0, this.#block.length));
    this.#block = block;
  }

  /** Sends the open block on its way. */
  #ship(isLast: boolean): void {
    const [block, sealer] = [this.#block, this.#sealer];
    const sealing = sealer.seal(block, this.#sealedChunks, isLast);
    this.#sealedChunks += block.chunks;
    this.#line = Promise.all([sealing, this.#line]).then(() =>
      this.#writer.push(block.sealed, () => sealer.give(block)),
    );
    this.#line.catch(() => {}); // thrown where the line is drained
  }

  async #drain(): Promise<void> {
    await this.#line;
    await this.#writer.drain();
  }

  /** Without a last chunk where only whole ones are left: no chunk that was sealed as one of many is sealed again. */
  async #park(size: number): Promise<void> {
    this.#block.cut(size - this.sealedBytes);
    if (this.#block.length > 0) this.#ship(size % chunkBytes !== 0);
    await this.#drain();
    await this.#sync(() => this.#to.file.sync());
    await this.#to.park();
    this.#sealer.end();
  }

  /** A sync that failed is never repeated: the system may have dropped the bytes, and would report success. */
  async #sync(sync: () => Promise<void>): Promise<void> {
    if (this.#syncFailure !== null) throw this.#syncFailure;
    try {
      await sync();
    } catch (cause) {
      this.#syncFailure = cause as Error;
      throw cause;
    }
  }

  async #finish(onStep: (step: SealStep) => void): Promise<SealedBlob> {
    const { id } = this.#to;
    const size = this.size;
    this.#ship(true);
    const digest = this.#sealer.digest();
    await Promise.all([digest, this.#drain()]);
    onStep('sealed');
    const isSmall = this.#to.isSmall?.() === true;
    if (!isSmall) await this.#sync(() => this.#to.file.sync());
    onStep('synced');
    const unsynced = isSmall ? await this.#to.publishUnsynced!() : null;
    if (unsynced === null) await this.#to.publish();
    this.#sealer.end();
    onStep('moved');
    const sealedSize = this.#header.bytes.length + size + this.#sealedChunks * tagBytes;
    const placeNumber = this.#placeNumber;
    return {
      ...{ id, size, sealedSize, sha256: await digest, sealedTo: this.#header.sealedTo },
      ...(placeNumber !== 0 && { placeNumber }),
      ...(unsynced !== null && { unsynced }),
    };
  }

  async #readSealed(offset: number, end: number): Promise<Buffer> {
    await this.#drain();
    const place = { file: this.#to.file, key: this.#header.payloadKey, start: this.#header.bytes.length };
    const payload = new PayloadReader({ ...place, size: this.sealedBytes, lastChunk: null });
    return payload.read(offset, Math.max(0, end - offset));
  }

  async #guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (cause) {
      throw new SpaceError('failed', `blob ${this.id} can't be written: ${(cause as Error).message}`, { cause });
    }
  }
}
