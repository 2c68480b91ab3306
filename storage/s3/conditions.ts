/** Whether an object store takes conditional writes: asked once, since one that does not may cut a large request off instead of answering it. */
import { randomBytes } from 'node:crypto';
import { StoreError } from '../blobstore.js';
import type { S3Requests } from './requests.js';

export class Conditions {
  readonly #requests: S3Requests;
  #areTaken: Promise<boolean> | null = null;

  constructor(requests: S3Requests) {
    this.#requests = requests;
  }

  /** For a write that must not replace an object: null where the store has no conditions. @throws StoreError */
  async forNew(): Promise<{ IfNoneMatch: '*' } | null> {
    this.#areTaken ??= this.#ask().catch((error) => {
      this.#areTaken = null;
      throw error;
    });
    return (await this.#areTaken) ? { IfNoneMatch: '*' } : null;
  }

  async #ask(): Promise<boolean> {
    const requests = this.#requests;
    const Key = `${requests.prefix}probe/${randomBytes(16).toString('hex')}`;
    const place = { Bucket: requests.bucket, Key };
    try {
      const object = { ...place, Body: Buffer.from('probe'), IfNoneMatch: '*' };
      await requests.run((s3, attempt) => s3.putObject(object, attempt));
    } catch (error) {
      if (error instanceof StoreError && error.code === 'unsupported') return false;
      // The answer to the first of two requests was lost.
      if (!(error instanceof StoreError) || error.code !== 'changed') throw error;
    }
    await requests.run((s3, attempt) => s3.deleteObject(place, attempt));
    return true;
  }
}
