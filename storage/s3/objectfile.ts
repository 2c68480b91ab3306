/** Reads an object by ranges, as a file that is open for reading. */
import { StoreError } from '../blobstore.js';
import type { DiskFile } from '../disk.js';
import type { S3Requests } from './requests.js';

/** Read with the first request: the header, and all of a small file. */
const firstBytes = 256 * 1024;

interface Version {
  size: number;
  etag: string | undefined;
  mtimeMs: number;
}

export class ObjectFile implements DiskFile {
  readonly #requests: S3Requests;
  readonly #key: string;
  readonly #start: Buffer;
  readonly #onClose: () => Promise<void>;
  #version: Version;
  /** Bytes by which a new header has moved the payload since it was opened. */
  #shift = 0;
  #isOpen = true;

  private constructor(
    requests: S3Requests,
    key: string,
    { start, version }: { start: Buffer; version: Version },
    onClose: () => Promise<void>,
  ) {
    this.#requests = requests;
    this.#key = key;
    this.#start = start;
    this.#version = version;
    this.#onClose = onClose;
  }

  /** @param onClose called once. @throws StoreError */
  static async open(requests: S3Requests, key: string, onClose: () => Promise<void>): Promise<ObjectFile> {
    const opened = await requests.run(
      async (s3, attempt) => {
        const Range = `bytes=0-${firstBytes - 1}`;
        const got = await s3.getObject({ Bucket: requests.bucket, Key: key, Range }, attempt);
        const start = Buffer.from(await got.Body!.transformToByteArray());
        const total = Number(/\/(\d+)$/.exec(got.ContentRange ?? '')?.[1] ?? start.length);
        if (start.length < Math.min(total, firstBytes)) throw new Error('the answer ended early');
        return { start, version: { size: total, etag: got.ETag, mtimeMs: got.LastModified?.getTime() ?? 0 } };
      },
      { bytes: firstBytes },
    );
    return new ObjectFile(requests, key, opened, onClose);
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

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
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
        const bytes = await got.Body!.transformToByteArray();
        if (bytes.length !== memory.length) throw new Error('the answer ended early');
        memory.set(bytes);
      },
      { bytes: memory.length },
    );
  }

  /** The object has got a new header: the payload, of which alone more is read, is the same. */
  async #follow(): Promise<void> {
    const found = await this.#requests.run((s3, attempt) =>
      s3.headObject({ Bucket: this.#requests.bucket, Key: this.#key }, attempt),
    );
    const size = found.ContentLength ?? 0;
    this.#shift += size - this.#version.size;
    this.#version = { ...this.#version, size, etag: found.ETag };
  }
}
