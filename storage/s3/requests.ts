/**
 * Sends requests to an object store by the official client, which it loads at the first one, and repeats those that fail. Owners take
 * turns at the connections.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3 } from '@aws-sdk/client-s3';
import { silenceStoreClient } from '../../config/environment.js';
import { StoreError } from '../blobstore.js';
import { type AccessKey, AccessKeys } from './accesskeys.js';
import { classify, isNamed, isUnexplained } from './fault.js';
import { Lanes } from './lanes.js';

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
  readCredentials: (() => Promise<AccessKey>) | undefined;
  retryMs: number;
}

export interface Attempt {
  abortSignal: AbortSignal;
}

/** Without a byte for this long a request counts as failed. */
const silentMs = 10_000;
const connectMs = 5_000;
/** A request with a small body, or none. */
const usuallyMs = 60_000;
/** Slower than this no part is sent. */
const slowestBytesPerMs = 32;
const firstPauseMs = 100;
const longestPauseMs = 5_000;
/** For the question why another request was refused. */
const explainMs = 10_000;
/** Requests at once of this process, so that none waits for a connection of the client: reads take none from uploads. */
const mostReads = 16;
const mostOthers = 48;

const silent = { debug() {}, info() {}, warn() {}, error() {} };

export const packageName = '@aws-sdk/client-s3';

export interface RequestOptions {
  /** Of its body or of its answer. */
  bytes?: number;
  /** 0: once only. */
  retryMs?: number;
  /** The time for a small body, or none. */
  usualMs?: number;
  /** false: it fails as `changed`, since the same request cannot succeed. */
  repeatsConflict?: boolean;
  /** Its answer has the bytes of a file. */
  isRead?: boolean;
  /** Ends it, and the wait for its turn: its reader has left. */
  signal?: AbortSignal;
}

/** Shared by the views of all owners. */
interface Shared {
  place: S3Place;
  keys: AccessKeys | undefined;
  client: Promise<S3> | null;
  reads: Lanes;
  others: Lanes;
}

/** The requests of one owner. */
export class S3Requests {
  readonly #shared: Shared;
  readonly #owner: string;

  private constructor(shared: Shared, owner: string) {
    this.#shared = shared;
    this.#owner = owner;
  }

  /** Those of no organization. */
  static open(place: S3Place): S3Requests {
    const lanes = (count: number) =>
      new Lanes({ count, patienceMs: place.retryMs, isOutage: (error) => classify(error).code === 'unavailable' });
    const keys = place.readCredentials && new AccessKeys(place.readCredentials);
    return new S3Requests({ place, keys, client: null, reads: lanes(mostReads), others: lanes(mostOthers) }, '');
  }

  of(owner: string): S3Requests {
    return new S3Requests(this.#shared, owner);
  }

  get bucket(): string {
    return this.#shared.place.bucket;
  }

  get prefix(): string {
    return this.#shared.place.prefix;
  }

  get name(): string {
    return this.#shared.place.name;
  }

  /**
   * Repeats it for a time, which begins with its first turn.
   * @param work sends one request, and reads its answer to the end
   * @throws StoreError
   */
  async run<T>(work: (s3: S3, attempt: Attempt) => Promise<T>, options: RequestOptions = {}): Promise<T> {
    const { place, keys, reads, others } = this.#shared;
    const { retryMs = place.retryMs, repeatsConflict = true, isRead = false, signal } = options;
    const s3 = await this.#load();
    const lanes = isRead ? reads : others;
    let deadline: number | null = null;
    const attempt = () => {
      deadline ??= performance.now() + retryMs;
      return inTime((abortSignal) => work(s3, { abortSignal }), options);
    };
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      const key = keys?.last;
      try {
        return await lanes.run(this.#owner, attempt, signal);
      } catch (failure) {
        if (signal?.aborted) throw leave(failure);
        const cause = isUnexplained(failure) ? await this.#explain(s3, failure) : failure;
        const fault = classify(cause);
        if (fault.isRefusal === true && key && (await keys!.hasOther(key))) continue;
        const isFinal = fault.isConflict === true && !repeatsConflict;
        const { code, isPassing, reason } = isFinal ? { ...fault, code: 'changed' as const, isPassing: false } : fault;
        const restMs = pauseMs * (0.5 + Math.random() / 2);
        // One that had no turn has waited as long as the others that failed before it.
        if (!isPassing || performance.now() + restMs >= (deadline ?? 0))
          throw new StoreError(code, `${place.name}: ${reason}`, { cause });
        await sleep(restMs, undefined, signal === undefined ? {} : { signal }).catch(() => {});
      }
    }
  }

  /** Asks for next to nothing, by a request whose answer has a body. */
  async #explain(s3: S3, failure: unknown): Promise<unknown> {
    const listing = { Bucket: this.bucket, Prefix: this.prefix, MaxKeys: 1 };
    try {
      await inTime((abortSignal) => s3.listObjectsV2(listing, { abortSignal }), { usualMs: explainMs });
      return failure;
    } catch (named) {
      return isNamed(named) ? named : failure;
    }
  }

  close(): void {
    void this.#shared.client?.then(
      (s3) => s3.destroy(),
      () => {},
    );
    this.#shared.client = null;
  }

  #load(): Promise<S3> {
    this.#shared.client ??= this.#open();
    return this.#shared.client;
  }

  async #open(): Promise<S3> {
    silenceStoreClient();
    const library = await import('@aws-sdk/client-s3').catch((cause: Error) => {
      throw new StoreError('unusable', missingPackage(this.name), { cause });
    });
    const { keys } = this.#shared;
    const { endpoint, region, isPathStyle } = this.#shared.place;
    return new library.S3({
      region,
      forcePathStyle: isPathStyle,
      ...(endpoint !== undefined && { endpoint }),
      // Expired at once, so that the client asks before each request.
      ...(keys !== undefined && {
        credentials: async () => ({ ...(await keys.current()), expiration: new Date() }),
      }),
      // Each request is repeated here, for a time and not for a number of times.
      maxAttempts: 1,
      // Of a part that is read from the disk it would say on stderr that it does not repeat it.
      logger: silent,
      // Stores other than Amazon's refuse the newer checksums: requests carry an MD5, and every chunk a seal.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: connectMs,
        socketTimeout: silentMs,
        httpAgent: { keepAlive: true, maxSockets: mostReads + mostOthers },
        httpsAgent: { keepAlive: true, maxSockets: mostReads + mostOthers },
      },
    });
  }
}

function leave(cause: unknown): StoreError {
  return new StoreError('left', 'its reader has left', { cause });
}

/** Aborts `work` after the time of its bytes, or when `signal` says so. */
async function inTime<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { bytes = 0, usualMs = usuallyMs, signal }: RequestOptions,
): Promise<T> {
  const end = new AbortController();
  const abort = () => end.abort();
  const timer = setTimeout(abort, Math.ceil(usualMs + bytes / slowestBytesPerMs));
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await work(end.signal);
  } catch (cause) {
    throw signal?.aborted ? leave(cause) : cause;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

export function missingPackage(name: string): string {
  return `the setting blobs names ${name}, and the package ${packageName} is not installed: run "npm install ${packageName}@3" in the folder of Dropslot's package, or beside it`;
}
