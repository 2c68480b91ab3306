/** Sends requests to an object store by the official client, which it loads at the first one, and repeats those that fail. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3 } from '@aws-sdk/client-s3';
import { silenceStoreClient } from '../../config/environment.js';
import { StoreError } from '../blobstore.js';
import { classify } from './fault.js';

export interface S3Place {
  /** For messages: `s3://bucket/prefix`. */
  name: string;
  bucket: string;
  /** In front of every key: empty, or with a slash at its end. */
  prefix: string;
  endpoint: string | undefined;
  region: string;
  isPathStyle: boolean;
  /** undefined: the client finds them in its environment. @throws Error */
  readCredentials: (() => Promise<{ accessKeyId: string; secretAccessKey: string }>) | undefined;
  retryMs: number;
}

export interface Attempt {
  abortSignal: AbortSignal;
}

/** Without a byte for this long a request counts as failed. */
const silentMs = 10_000;
const connectMs = 5_000;
/** A request with a small body, or none. */
const usualMs = 60_000;
/** Slower than this no part is sent. */
const slowestBytesPerMs = 32;
const firstPauseMs = 100;
const longestPauseMs = 5_000;
/** Files of credentials are read again after this time. */
const credentialsMs = 5 * 60_000;
const mostSockets = 64;

export const packageName = '@aws-sdk/client-s3';

export class S3Requests {
  readonly #place: S3Place;
  #client: Promise<S3> | null = null;

  constructor(place: S3Place) {
    this.#place = place;
  }

  get bucket(): string {
    return this.#place.bucket;
  }

  get prefix(): string {
    return this.#place.prefix;
  }

  get name(): string {
    return this.#place.name;
  }

  /**
   * @param work sends one request, and reads its answer to the end
   * @param bytes of its body or of its answer
   * @param retryMs 0: once only
   * @throws StoreError
   */
  async run<T>(
    work: (s3: S3, attempt: Attempt) => Promise<T>,
    { bytes = 0, retryMs = this.#place.retryMs }: { bytes?: number; retryMs?: number } = {},
  ): Promise<T> {
    const s3 = await this.#load();
    const deadline = performance.now() + retryMs;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      try {
        return await work(s3, { abortSignal: AbortSignal.timeout(Math.ceil(usualMs + bytes / slowestBytesPerMs)) });
      } catch (cause) {
        const { code, isPassing, reason } = classify(cause);
        const restMs = pauseMs * (0.5 + Math.random() / 2);
        if (!isPassing || performance.now() + restMs >= deadline)
          throw new StoreError(code, `${this.#place.name}: ${reason}`, { cause });
        await sleep(restMs);
      }
    }
  }

  close(): void {
    void this.#client?.then(
      (s3) => s3.destroy(),
      () => {},
    );
    this.#client = null;
  }

  #load(): Promise<S3> {
    this.#client ??= this.#open();
    return this.#client;
  }

  async #open(): Promise<S3> {
    silenceStoreClient();
    const library = await import('@aws-sdk/client-s3').catch((cause: Error) => {
      throw new StoreError('unusable', missingPackage(this.#place.name), { cause });
    });
    const { endpoint, region, isPathStyle, readCredentials } = this.#place;
    return new library.S3({
      region,
      forcePathStyle: isPathStyle,
      ...(endpoint !== undefined && { endpoint }),
      ...(readCredentials !== undefined && {
        credentials: async () => ({
          ...(await readCredentials()),
          expiration: new Date(Date.now() + credentialsMs),
        }),
      }),
      // Each request is repeated here, for a time and not for a number of times.
      maxAttempts: 1,
      // Stores other than Amazon's refuse the newer checksums: requests carry an MD5, and every chunk a seal.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: connectMs,
        socketTimeout: silentMs,
        httpAgent: { keepAlive: true, maxSockets: mostSockets },
        httpsAgent: { keepAlive: true, maxSockets: mostSockets },
      },
    });
  }
}

export function missingPackage(name: string): string {
  return `the setting blobs names ${name}, and the package ${packageName} is not installed: run "npm install ${packageName}@3" in the folder of Dropslot's package, or beside it`;
}
