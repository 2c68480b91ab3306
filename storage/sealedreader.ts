/** Reads a sealed file: opens its header, verifies its length, and opens chunks as they are needed. */
import { type Header, maxHeaderBytes, openHeader } from './age.js';
import { chunkBytes, lastChunkOf, plainSizeOf, SealError, sealedChunkBytes } from './chunk.js';
import type { DiskFile } from './disk.js';
import { PayloadReader } from './payloadreader.js';
import type { AheadShare } from './readahead.js';
import type { PartialSecret } from './sealedwriter.js';
import { SpaceError } from './types.js';

const usualHeaderBytes = 4096;

/** Every method throws SpaceError: `damaged` when the sealed bytes were changed, `failed` when the disk fails. */
export class BlobReader {
  readonly #id: string;
  readonly #file: DiskFile;
  readonly #payload: PayloadReader;
  /** Plaintext bytes. */
  readonly size: number;

  private constructor(id: string, file: DiskFile, payload: PayloadReader, size: number) {
    this.#id = id;
    this.#file = file;
    this.#payload = payload;
    this.size = size;
  }

  /** Opens the header and the last chunk, which proves the length. Takes the file over: it is closed when this fails. */
  static async open(id: string, file: DiskFile, identity: string, ahead?: AheadShare): Promise<BlobReader> {
    try {
      const { header, rest } = await readHeader(file, identity);
      const start = header.bytes.length;
      const small = rest === null ? null : BlobReader.small(id, file, header, rest);
      if (small !== null) return small;
      const size = plainSizeOf((await file.stat()).size - start);
      if (size === null) throw new SealError('the file was cut off');
      const place = { file, key: header.payloadKey, start, size, lastChunk: lastChunkOf(size) };
      return new BlobReader(id, file, await PayloadReader.open(place, ahead), size);
    } catch (cause) {
      await file.close();
      throw translate(id, cause);
    }
  }

  /** A file that was read whole with its header. Its last chunk, which opens as the last one only, proves that. */
  static small(id: string, file: DiskFile, { bytes, payloadKey }: Header, sealed: Buffer): BlobReader | null {
    const size = plainSizeOf(sealed.length);
    if (size === null) return null;
    const place = { file, key: payloadKey, start: bytes.length, size, lastChunk: lastChunkOf(size) };
    const payload = PayloadReader.ofWhole(place, sealed);
    return payload === null ? null : new BlobReader(id, file, payload, size);
  }

  /** Opens a file whose payload key this process still holds. Takes the file over. */
  static async openWithKey(
    id: string,
    file: DiskFile,
    { payloadKey, headerBytes }: PartialSecret,
    size: number,
  ): Promise<BlobReader> {
    const place = { file, key: payloadKey, start: headerBytes, size, lastChunk: lastChunkOf(size) };
    try {
      return new BlobReader(id, file, await PayloadReader.open(place), size);
    } catch (cause) {
      await file.close();
      throw translate(id, cause);
    }
  }

  /**
   * Opens the partial of an upload that was cut off. `size`: the bytes known to be kept; null: as many whole chunks as the file
   * has. It ends with a last chunk unless only whole ones were kept. Takes the file over.
   */
  static async openPartial(
    id: string,
    file: DiskFile,
    { payloadKey, headerBytes }: PartialSecret,
    size: number | null,
    ahead?: AheadShare,
  ): Promise<BlobReader> {
    try {
      const whole = Math.floor(Math.max(0, (await file.stat()).size - headerBytes) / sealedChunkBytes) * chunkBytes;
      const known = size ?? whole;
      const lastChunk = known % chunkBytes === 0 ? null : lastChunkOf(known);
      const place = { file, key: payloadKey, start: headerBytes, size: known, lastChunk };
      return new BlobReader(id, file, await PayloadReader.open(place, ahead), known);
    } catch (cause) {
      await file.close();
      throw translate(id, cause);
    }
  }

  /** Up to `length` bytes from `offset`; empty at or past the end. */
  async read(offset: number, length: number): Promise<Buffer> {
    try {
      return await this.#payload.read(offset, length);
    } catch (cause) {
      throw translate(this.#id, cause);
    }
  }

  /** The whole plaintext; every chunk is verified before it is given, and the last one's flag ends it. Nothing is read after one that is left early. */
  async *stream(): AsyncGenerator<Buffer, void, void> {
    try {
      yield* this.#payload.stream();
    } catch (cause) {
      throw translate(this.#id, cause);
    }
  }

  async close(): Promise<void> {
    this.#payload.close();
    await this.#file.close();
  }
}

/** `rest`: the payload of a file so small that its end was read with its header; null: there is more, or may be. */
async function readHeader(file: DiskFile, identities: string): Promise<{ header: Header; rest: Buffer | null }> {
  return scanHeader(file, async (start) => {
    const header = await openHeader(start, identities);
    if (header === null) return null;
    return { header, rest: start.length < usualHeaderBytes ? start.subarray(header.bytes.length) : null };
  });
}

/**
 * Gives `use` the start of a file, and more of it when that gave null because the header is longer.
 * @throws SealError when there is no header, or `use` throws
 */
export async function scanHeader<T>(file: DiskFile, use: (start: Buffer) => Promise<T | null>): Promise<T> {
  for (const bytes of [usualHeaderBytes, maxHeaderBytes]) {
    const start = Buffer.alloc(bytes);
    const { bytesRead } = await file.read(start, 0, bytes, 0);
    const found = await use(start.subarray(0, bytesRead)).catch((cause: Error) => {
      throw new SealError(`the header does not open: ${cause.message}`, { cause });
    });
    if (found !== null) return found;
  }
  throw new SealError('the file has no age header');
}

function translate(id: string, cause: unknown): SpaceError {
  const code = cause instanceof SealError ? 'damaged' : 'failed';
  return new SpaceError(code, `blob ${id} can't be read: ${(cause as Error).message}`, { cause });
}
