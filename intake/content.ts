/**
 * Owns the content of an upload, sealed as it arrives: an optional base (the existing version), the writes over it, and a size.
 * Sealing is sequential, and a sealed chunk is never sealed again under its key, so: writes ahead wait in the window, a
 * gap is filled from the base or with zeros, and a change to sealed bytes makes a new blob from the old one's plaintext.
 */
import type { BlobWriter, PartialSecret, SealedBlob, SealStep } from '../storage/sealedwriter.js';
import { SpaceError } from '../storage/types.js';
import { MemoryFull, type MemoryShare } from './memory.js';
import { Window } from './window.js';

export interface Base {
  /** Plaintext bytes. */
  size: number;
  /** null: this process can't open it; an upload that replaces all of it does not need to. */
  reader: VersionReader | null;
}

/** Reads the plaintext of a version. */
export interface VersionReader {
  read(offset: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** The resumable rest of an upload that ends now. */
export interface Remains {
  /** Of the file among the partials; another one after a reseal. */
  id: string;
  /** Plaintext bytes from the start that are sealed. */
  sealedBytes: number;
  secret: PartialSecret;
  /** Whether it only appends to its base, and has not written over it. */
  continuesBase: boolean;
}

export interface ContentLimits {
  maxFileBytes: number;
  uploadWindowBytes: number;
  memory: MemoryShare;
  /** Asked before the bytes of a blob are removed: false, another server has taken them over. Default: they are its own. */
  reclaim?: (blobId: string) => Promise<boolean>;
}

const copyBytes = 1024 * 1024;
/** Memory of an upload in progress: the chunk that is being filled, and its state. */
const contentBytes = 72 * 1024;
/** Memory of a copy from one blob to another: a piece, and the chunks on their way to the disk. */
export const copyMemoryBytes = 4 * copyBytes;
const zeros = Buffer.alloc(copyBytes);
/** Resealing may copy this many times the file, and always enough for many changes to a small one. */
const resealFactor = 4;
const resealFloorBytes = 64 * 1024 * 1024;
/** The cost charged for a new blob that copies little. */
const resealMinimumBytes = 64 * 1024;

type Build = (copy: (from: number, to: number) => Promise<void>, to: BlobWriter) => Promise<void>;

/** Calls come one after the other. Every method throws SpaceError; after that only `discard` is left to call. */
export class Content {
  readonly #create: () => Promise<BlobWriter>;
  readonly #limits: ContentLimits;
  readonly #base: Base | null;
  readonly #window: Window;
  #writer: BlobWriter;
  /** How much of the base still counts: a smaller size has cut it, and growing again brings zeros. */
  #baseBytes: number;
  #size: number;
  #resealedBytes = 0;
  #continuesBase: boolean;
  #isFree = false;

  private constructor(create: () => Promise<BlobWriter>, writer: BlobWriter, base: Base | null, limits: ContentLimits) {
    this.#create = create;
    this.#writer = writer;
    this.#base = base;
    this.#limits = limits;
    this.#window = new Window(limits.uploadWindowBytes, limits.memory);
    this.#baseBytes = base?.size ?? 0;
    this.#continuesBase = base !== null;
    this.#size = this.#baseBytes;
  }

  /** `create` begins a blob: the first one, and a new one for each reseal. The base's reader is closed with the content. */
  static async begin(create: () => Promise<BlobWriter>, base: Base | null, limits: ContentLimits): Promise<Content> {
    if (!limits.memory.take(contentBytes)) throw busy('no memory for one more upload');
    try {
      return new Content(create, await create(), base, limits);
    } catch (error) {
      limits.memory.release(contentBytes);
      throw error;
    }
  }

  /** Plaintext bytes, gaps included. */
  get size(): number {
    return this.#size;
  }

  get remains(): Remains {
    const { id, sealedBytes, secret } = this.#writer;
    return { id, sealedBytes, secret, continuesBase: this.#continuesBase };
  }

  /** @throws SpaceError `too_large` */
  checkSize(size: number): void {
    const { maxFileBytes } = this.#limits;
    if (size > maxFileBytes) throw new SpaceError('too_large', `a file of ${size} bytes; ${maxFileBytes} are allowed`);
  }

  async write(offset: number, bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    this.checkSize(offset + bytes.length);
    this.#size = Math.max(this.#size, offset + bytes.length);
    if (offset < this.#baseBytes) this.#continuesBase = false;
    if (offset > this.#writer.size && (await this.#hold(offset, bytes))) return;
    const sealed = Math.min(this.#writer.size - offset, bytes.length);
    if (sealed > 0) await this.#rewrite(offset, bytes.subarray(0, sealed));
    await this.#writer.write(bytes.subarray(sealed));
    await this.#drain();
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, this.#size - offset)));
    const written = this.#writer.size;
    (await this.#writer.read(offset, bytes.length)).copy(bytes);
    const from = Math.max(offset, written);
    const to = Math.min(offset + bytes.length, this.#baseBytes);
    if (from < to) (await this.#readBase(from, to - from)).copy(bytes, from - offset);
    if (offset + bytes.length > written) this.#window.overlay(bytes, offset);
    return bytes;
  }

  async setSize(size: number): Promise<void> {
    this.checkSize(size);
    if (size < this.#baseBytes) this.#continuesBase = false;
    this.#baseBytes = Math.min(this.#baseBytes, size);
    this.#window.cut(size);
    if (size < this.#writer.size && !this.#writer.truncate(size)) {
      await this.#reseal((copy) => copy(0, size));
    }
    this.#size = size;
  }

  sync(): Promise<void> {
    return this.#writer.sync();
  }

  async finish(onStep: (step: SealStep) => void): Promise<SealedBlob> {
    await this.#advance(this.#size);
    const sealed = await this.#writer.finish(onStep);
    this.#free();
    await this.#base?.reader?.close();
    return sealed;
  }

  /** Keeps the gapless bytes from the start for a later upload to resume from. Returns the plaintext bytes, as BlobWriter.park. */
  async park(keepsLast: boolean): Promise<number> {
    this.#free();
    await this.#base?.reader?.close();
    return this.#writer.park(keepsLast);
  }

  /** Its bytes in the store, too, if they are still its own. */
  async discard(): Promise<void> {
    this.#free();
    await this.#base?.reader?.close();
    await this.#discard(this.#writer);
  }

  /** Gives back its memory, once. */
  #free(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    this.#window.clear();
    this.#limits.memory.release(contentBytes);
  }

  /** Keeps a write beyond the sealed bytes; false: the gap before it was filled meanwhile, write it now. */
  async #hold(offset: number, bytes: Buffer): Promise<boolean> {
    // A write just behind the base is a resume: the client will not send the bytes before it again.
    if (offset === this.#baseBytes) await this.#advance(offset);
    while (offset > this.#writer.size) {
      const outcome = this.#window.put(offset, bytes);
      if (outcome === 'kept') return true;
      const gapEnd = Math.min(this.#window.first ?? offset, offset, this.#baseBytes);
      if (gapEnd <= this.#writer.size && outcome === 'busy') throw busy(`no memory for a write ahead at ${offset}`);
      if (gapEnd <= this.#writer.size)
        throw new SpaceError('unsupported', `a gap before ${offset} stayed open for more than uploadWindowBytes`);
      await this.#fill(gapEnd);
      await this.#drain();
    }
    return false;
  }

  /** Seals at least up to `end`: the waiting writes, and the gaps between them. */
  async #advance(end: number): Promise<void> {
    while (this.#writer.size < end) {
      await this.#fill(Math.min(this.#window.first ?? end, end));
      await this.#drain();
    }
  }

  async #drain(): Promise<void> {
    for (;;) {
      const bytes = this.#window.take(this.#writer.size);
      if (bytes === null) return;
      await this.#writer.write(bytes);
    }
  }

  /** Seals a gap up to `end`: the base as far as it reaches, then zeros. */
  async #fill(end: number): Promise<void> {
    for (let at = this.#writer.size; at < end; at = this.#writer.size) {
      const fromBase = Math.min(end, this.#baseBytes) - at;
      if (fromBase > 0) await this.#writer.write(await this.#readBase(at, Math.min(fromBase, copyBytes)));
      else await this.#writer.write(zeros.subarray(0, end - at));
    }
  }

  async #readBase(offset: number, length: number): Promise<Buffer> {
    const reader = this.#base?.reader;
    if (!reader) throw new SpaceError('keyless', 'this server holds no key that opens the existing version');
    const bytes = await reader.read(offset, length);
    if (bytes.length < length) throw new SpaceError('damaged', 'the stored version is shorter than its recorded size');
    return bytes;
  }

  async #rewrite(offset: number, bytes: Buffer): Promise<void> {
    if (this.#writer.patch(offset, bytes)) return;
    const end = this.#writer.size;
    await this.#reseal(async (copy, to) => {
      await copy(0, offset);
      await to.write(bytes);
      await copy(offset + bytes.length, end);
    });
  }

  /** Moves to a new blob under a new key; `build` writes it, copying parts of the old plaintext. */
  #reseal(build: Build): Promise<void> {
    return lendMemory(this.#limits.memory, copyMemoryBytes, () => this.#resealNow(build));
  }

  async #resealNow(build: Build): Promise<void> {
    const old = this.#writer;
    const next = await this.#create();
    const copy = async (from: number, to: number) => {
      for (let at = from; at < to; ) {
        const bytes = await old.read(at, Math.min(copyBytes, to - at));
        await next.write(bytes);
        this.#charge(bytes.length);
        at += bytes.length;
      }
    };
    try {
      this.#charge(resealMinimumBytes);
      await build(copy, next);
    } catch (error) {
      await next.discard();
      throw error;
    }
    this.#writer = next;
    await this.#discard(old);
  }

  async #discard(writer: BlobWriter): Promise<void> {
    await writer.discard((await this.#limits.reclaim?.(writer.id)) ?? true);
  }

  /** Bounds the work that a client can cause by rewriting its bytes: linear in the file, not quadratic. */
  #charge(bytes: number): void {
    this.#resealedBytes += bytes;
    if (this.#resealedBytes > Math.max(resealFloorBytes, resealFactor * this.#size))
      throw new SpaceError('unsupported', 'too many writes over bytes that were written already');
  }
}

/** Runs `work` while it holds so many bytes of the session's account. @throws SpaceError `busy` */
export async function lendMemory<T>(memory: MemoryShare, bytes: number, work: () => Promise<T>): Promise<T> {
  return memory.lend(bytes, work).catch((error) => {
    throw error instanceof MemoryFull ? busy(error.message) : error;
  });
}

export function busy(message: string): SpaceError {
  return new SpaceError('busy', message);
}
