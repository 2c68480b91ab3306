/** Reads an object by ranges, as a file that is open for reading. */
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { StoreError } from '../blobstore.js';
import type { DiskFile } from '../disk.js';
import type { S3Requests } from './requests.js';

/** Read with the first request: the header, and all of a small file. */
const firstBytes = 256 * 1024;
/** Kept of a file of which more is read: a header is smaller. */
const headerBytes = 4096;

interface Version {
  size: number;
  etag: string | undefined;
  mtimeMs: number;
}

export class ObjectFile implements DiskFile {
  readonly #requests: S3Requests;
  readonly #key: string;
  #start: Buffer;
  readonly #onClose: () => Promise<void>;
  #version: Version;
  /** Bytes by which a new header has moved the payload since it was opened. */
  #shift = 0;
  #isOpen = true;
  readonly #readers = new AbortController();
  readonly #signal: AbortSignal | undefined;

  private constructor(
    requests: S3Requests,
    key: string,
    { start, version }: { start: Buffer; version: Version },
    onClose: () => Promise<void>,
    signal: AbortSignal | undefined,
  ) {
    this.#requests = requests;
    this.#key = key;
    this.#start = start;
    this.#version = version;
    this.#onClose = onClose;
    this.#signal = signal;
    if (signal?.aborted) this.abandon();
    signal?.addEventListener('abort', this.#abandon, { once: true });
  }

  /** @param onClose called once. @param signal its reader has left. @throws StoreError */
  static async open(
    requests: S3Requests,
    key: string,
    onClose: () => Promise<void>,
    signal?: AbortSignal,
  ): Promise<ObjectFile> {
    const opened = await requests.run(
      async (s3, attempt) => {
        const Range = `bytes=0-${firstBytes - 1}`;
        const got = await s3.getObject({ Bucket: requests.bucket, Key: key, Range }, attempt);
        const { ContentLength: bytes = 0, ContentRange = '', ETag: etag, LastModified } = got;
        if (bytes > firstBytes) throw new StoreError('unusable', 'it does not answer ranges');
        const start = Buffer.allocUnsafe(bytes);
        await readInto(start, got);
        const size = Number(/\/(\d+)$/.exec(ContentRange)?.[1] ?? bytes);
        if (bytes < Math.min(size, firstBytes)) throw new Error('the answer ended early');
        return { start, version: { size, etag, mtimeMs: LastModified?.getTime() ?? 0 } };
      },
      { bytes: firstBytes, isRead: true, ...(signal !== undefined && { signal }) },
    );
    return new ObjectFile(requests, key, opened, onClose, signal);
  }

  async read(memory: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }> {
    const size = this.#version.size - this.#shift;
    const bytesRead = Math.max(0, Math.min(length, size - position));
    if (bytesRead === 0) return { bytesRead };
    if (position + bytesRead <= this.#start.length) this.#start.copy(memory, offset, position, position + bytesRead);
    else await this.#fetch(memory.subarray(offset, offset + bytesRead), position);
    return { bytesRead };
  }

  async stat(): Promise<{ size: number }> {
    return { size: this.#version.size - this.#shift };
  }

  abandon(): void {
    this.#readers.abort();
  }

  readonly #abandon = () => this.abandon();

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#signal?.removeEventListener('abort', this.#abandon);
    this.abandon();
    await this.#onClose();
  }

  async writev(): Promise<never> {
    throw new Error('an object is only read');
  }

  async sync(): Promise<void> {}

  async datasync(): Promise<void> {}

  async #fetch(memory: Buffer, position: number): Promise<void> {
    for (let attempts = 0; ; attempts++) {
      try {
        await this.#fetchOnce(memory, position);
        // Copied, so that the rest is freed.
        if (this.#start.length > headerBytes) this.#start = Buffer.from(this.#start.subarray(0, headerBytes));
        return;
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== 'changed' || attempts >= 3) throw error;
        await this.#follow();
      }
    }
  }

  async #fetchOnce(memory: Buffer, position: number): Promise<void> {
    const from = position + this.#shift;
    const { etag } = this.#version;
    await this.#requests.run(
      async (s3, attempt) => {
        const Range = `bytes=${from}-${from + memory.length - 1}`;
        const condition = etag === undefined ? {} : { IfMatch: etag };
        const got = await s3.getObject({ Bucket: this.#requests.bucket, Key: this.#key, Range, ...condition }, attempt);
        await readInto(memory, got);
      },
      { bytes: memory.length, isRead: true, signal: this.#readers.signal },
    );
  }

  /** The object has got a new header: the payload, of which alone more is read, is the same. */
  async #follow(): Promise<void> {
    const found = await this.#requests.run(
      (s3, attempt) => s3.headObject({ Bucket: this.#requests.bucket, Key: this.#key }, attempt),
      { signal: this.#readers.signal },
    );
    const size = found.ContentLength ?? 0;
    this.#shift += size - this.#version.size;
    this.#version = { ...this.#version, size, etag: found.ETag };
  }
}

/** Fills the memory as the bytes arrive: no second copy of them is in memory. @throws Error when they are more or fewer */
async function readInto(memory: Buffer, { Body }: Pick<GetObjectCommandOutput, 'Body'>): Promise<void> {
  let filled = 0;
  for await (const piece of Body as unknown as AsyncIterable<Uint8Array>) {
    if (filled + piece.length > memory.length) throw new Error('the answer is longer than its range');
    memory.set(piece, filled);
    filled += piece.length;
  }
  if (filled < memory.length) throw new Error('the answer ended early');
}
