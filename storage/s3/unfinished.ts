/** Uploads in parts that were neither completed nor aborted: those in progress, and those of processes that died. */
import { type Look, StoreError, type UnfinishedUpload } from '../blobstore.js';
import { readPages } from './pages.js';
import type { S3Requests } from './requests.js';

interface Part {
  PartNumber: number;
  ETag: string;
  bytes: number;
}

export class Unfinished {
  readonly #requests: S3Requests;

  constructor(requests: S3Requests) {
    this.#requests = requests;
  }

  async *list(): AsyncGenerator<UnfinishedUpload, void, void> {
    const { prefix } = this.#requests;
    for await (const { key, upload, begunAtMs } of this.#list(prefix)) {
      const id = idOf(key.slice(prefix.length));
      if (id !== null) yield { id, upload, begunAtMs };
    }
  }

  async measure(key: string, look: Look = {}): Promise<number> {
    const found = await this.#find(key, look);
    return found === null ? 0 : found.parts.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async complete(key: string): Promise<boolean> {
    const found = await this.#find(key);
    if (found === null) return false;
    const Parts = found.parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }));
    const place = { Bucket: this.#requests.bucket, Key: key, UploadId: found.upload };
    await this.#requests.run((s3, attempt) =>
      s3.completeMultipartUpload({ ...place, MultipartUpload: { Parts } }, attempt),
    );
    return true;
  }

  /** true also of one that is not there any more. */
  async hasParts(Key: string, UploadId: string): Promise<boolean> {
    const place = { Bucket: this.#requests.bucket, Key, UploadId };
    try {
      const { Parts = [], IsTruncated } = await this.#requests.run((s3, attempt) => s3.listParts(place, attempt));
      return Parts.length > 0 || IsTruncated === true;
    } catch (error) {
      if (!isGone(error)) throw error;
      return true;
    }
  }

  async abort(key: string, UploadId: string, look: Look = {}): Promise<void> {
    const place = { Bucket: this.#requests.bucket, Key: key, UploadId };
    await this.#requests
      .run((s3, attempt) => s3.abortMultipartUpload(place, attempt), look)
      .catch((error) => {
        // It was completed or aborted meanwhile.
        if (!isGone(error)) throw error;
      });
  }

  /** All of a key. */
  async abortAll(key: string, look: Look = {}): Promise<void> {
    for await (const one of this.#list(key, look)) if (one.key === key) await this.abort(key, one.upload, look);
  }

  /** The last one of a key that has parts; null: none. One whose begin was answered too late, and was begun again, has none. */
  async #find(key: string, look: Look = {}): Promise<{ upload: string; parts: Part[] } | null> {
    const ofKey = [];
    for await (const one of this.#list(key, look)) if (one.key === key) ofKey.push(one);
    ofKey.sort((one, other) => other.begunAtMs - one.begunAtMs);
    for (const { upload } of ofKey) {
      const parts = await this.#listParts(key, upload, look);
      if (parts.length > 0) return { upload, parts };
    }
    return null;
  }

  async *#list(
    prefix: string,
    look: Look = {},
  ): AsyncGenerator<{ key: string; upload: string; begunAtMs: number }, void, void> {
    const place = { Bucket: this.#requests.bucket, Prefix: prefix };
    const pages = readPages(
      this.#requests,
      (s3, after, attempt) => s3.listMultipartUploads({ ...place, ...after }, attempt),
      ({ NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker }) =>
        KeyMarker === undefined ? null : { KeyMarker, ...(UploadIdMarker && { UploadIdMarker }) },
      look,
    );
    for await (const { Uploads = [] } of pages)
      for (const { Key = '', UploadId = '', Initiated } of Uploads)
        yield { key: Key, upload: UploadId, begunAtMs: Initiated?.getTime() ?? 0 };
  }

  /** From the first one up to a gap. */
  async #listParts(Key: string, UploadId: string, look: Look = {}): Promise<Part[]> {
    const parts: Part[] = [];
    const place = { Bucket: this.#requests.bucket, Key, UploadId };
    const pages = readPages(
      this.#requests,
      (s3, after, attempt) => s3.listParts({ ...place, ...after }, attempt),
      ({ NextPartNumberMarker: PartNumberMarker }) => (PartNumberMarker === undefined ? null : { PartNumberMarker }),
      look,
    );
    for await (const page of pages)
      for (const { PartNumber = 0, ETag = '', Size = 0 } of page.Parts ?? []) {
        if (PartNumber !== parts.length + 1) return parts;
        parts.push({ PartNumber, ETag, bytes: Size });
      }
    return parts;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof StoreError && (error.code === 'unusable' || error.code === 'ENOENT');
}

/** The id of the blob with this key, without the prefix; null: none has it. */
export function idOf(key: string): string | null {
  return /^([0-9a-f]{2})\/(\1[0-9a-f]{30})$/.exec(key)?.[2] ?? null;
}
