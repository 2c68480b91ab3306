/** Whether an object store takes conditional writes: asked once, since one that does not may cut a large request off instead of answering it. */
import { StoreError } from '../blobstore.js';
import { newProbeKey } from './probes.js';
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

  /** Writes an object twice: a store that ignores the condition takes it both times. */
  async #ask(): Promise<boolean> {
    const requests = this.#requests;
    const place = { Bucket: requests.bucket, Key: newProbeKey(requests) };
    try {
      const object = { ...place, Body: Buffer.from('probe'), IfNoneMatch: '*' };
      for (let times = 0; times < 2; times++) await requests.run((s3, attempt) => s3.putObject(object, attempt));
    } catch (error) {
      if (error instanceof StoreError && error.code === 'unsupported') return false;
      if (!(error instanceof StoreError) || error.code !== 'changed') throw error;
      await requests.run((s3, attempt) => s3.deleteObject(place, attempt));
      return true;
    }
    await requests.run((s3, attempt) => s3.deleteObject(place, attempt));
    return false;
  }
}
