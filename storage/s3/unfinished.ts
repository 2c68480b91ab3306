/** Uploads in parts that were neither completed nor aborted: those in progress, and those of processes that died. */
import { type Look, StoreError, type UnfinishedUpload } from '../blobstore.js';
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
      const id = /^([0-9a-f]{2})\/(\1[0-9a-f]{30})$/.exec(key.slice(prefix.length))?.[2];
      if (id !== undefined) yield { id, upload, begunAtMs };
    }
  }

  async measure(key: string, look: Look = {}): Promise<number> {
    const upload = await this.#find(key, look);
    if (upload === null) return 0;
    return (await this.#listParts(key, upload, look)).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async complete(key: string): Promise<boolean> {
    const UploadId = await this.#find(key);
    if (UploadId === null) return false;
    const parts = await this.#listParts(key, UploadId);
    if (parts.length === 0) return false;
    const Parts = parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }));
    const complete = { Bucket: this.#requests.bucket, Key: key, UploadId, MultipartUpload: { Parts } };
    await this.#requests.run((s3, attempt) => s3.completeMultipartUpload(complete, attempt));
    return true;
  }

  async abort(key: string, UploadId: string, look: Look = {}): Promise<void> {
    const place = { Bucket: this.#requests.bucket, Key: key, UploadId };
    await this.#requests
      .run((s3, attempt) => s3.abortMultipartUpload(place, attempt), look)
      .catch((error) => {
        // It was completed or aborted meanwhile.
        if (!(error instanceof StoreError) || (error.code !== 'unusable' && error.code !== 'ENOENT')) throw error;
      });
  }

  /** All of a key. */
  async abortAll(key: string, look: Look = {}): Promise<void> {
    for await (const one of this.#list(key, look)) if (one.key === key) await this.abort(key, one.upload, look);
  }

  /** The last one of a key; null: none. */
  async #find(key: string, look: Look = {}): Promise<string | null> {
    let found: { upload: string; begunAtMs: number } | null = null;
    for await (const one of this.#list(key, look))
      if (one.key === key && (found === null || one.begunAtMs >= found.begunAtMs)) found = one;
    return found?.upload ?? null;
  }

  async *#list(
    prefix: string,
    look: Look = {},
  ): AsyncGenerator<{ key: string; upload: string; begunAtMs: number }, void, void> {
    const place = { Bucket: this.#requests.bucket, Prefix: prefix };
    for (let after = {}; ; ) {
      const page = { ...place, ...after };
      const found = await this.#requests.run((s3, attempt) => s3.listMultipartUploads(page, attempt), look);
      for (const { Key = '', UploadId = '', Initiated } of found.Uploads ?? [])
        yield { key: Key, upload: UploadId, begunAtMs: Initiated?.getTime() ?? 0 };
      const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = found;
      if (IsTruncated !== true || NextKeyMarker === undefined) return;
      after = { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker && { UploadIdMarker: NextUploadIdMarker }) };
    }
  }

  /** From the first one up to a gap. */
  async #listParts(Key: string, UploadId: string, look: Look = {}): Promise<Part[]> {
    const parts: Part[] = [];
    const place = { Bucket: this.#requests.bucket, Key, UploadId };
    for (let after = {}; ; ) {
      const page = { ...place, ...after };
      const found = await this.#requests.run((s3, attempt) => s3.listParts(page, attempt), look);
      for (const { PartNumber = 0, ETag = '', Size = 0 } of found.Parts ?? []) {
        if (PartNumber !== parts.length + 1) return parts;
        parts.push({ PartNumber, ETag, bytes: Size });
      }
      if (found.IsTruncated !== true || found.NextPartNumberMarker === undefined) return parts;
      after = { PartNumberMarker: found.NextPartNumberMarker };
    }
  }
}
