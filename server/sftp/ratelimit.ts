/** Limits transfer rates: a token bucket that an organization's sessions share, and one session's waits for it. */

/** The burst that is allowed after an idle time, in seconds of the rate. */
const burstSeconds = 1;

export class TokenBucket {
  #level = 0;
  #at: number;
  #bytesPerSecond: number | null = null;

  readonly #now: () => number;
  /** Gets the bytes that are spent here, where there is a rate: other processes of the server count them, too. */
  onSpend: ((bytes: number) => void) | null = null;

  /** The bucket is full when it gets its first rate. */
  constructor(now: () => number) {
    this.#now = now;
    this.#at = now();
  }

  /** null: no limit. */
  setRate(bytesPerSecond: number | null): void {
    if (bytesPerSecond === this.#bytesPerSecond) return;
    this.#bytesPerSecond = bytesPerSecond;
    this.#level = (bytesPerSecond ?? 0) * burstSeconds;
  }

  /** Takes `bytes`, which may leave a debt; milliseconds until it is paid. */
  spend(bytes: number): number {
    if (this.#bytesPerSecond !== null) this.onSpend?.(bytes);
    return this.charge(bytes);
  }

  /** As spend, of bytes that another process of the server has spent. */
  charge(bytes: number): number {
    const rate = this.#bytesPerSecond;
    if (rate === null) return 0;
    const now = this.#now();
    this.#level = Math.min(rate * burstSeconds, this.#level + (Math.max(0, now - this.#at) / 1000) * rate) - bytes;
    this.#at = now;
    return this.#level >= 0 ? 0 : Math.ceil((-this.#level / rate) * 1000);
  }
}

/** The buckets of an organization: `up` for uploads, `down` for downloads. */
export interface Buckets {
  up: TokenBucket;
  down: TokenBucket;
}

/** Makes one session wait for its buckets; the waits end early when the client is gone. */
export class RateLimiter {
  readonly #waiting = new Map<NodeJS.Timeout, () => void>();
  #isReleased = false;
  readonly #buckets: Buckets | null;

  constructor(buckets: Buckets | null) {
    this.#buckets = buckets;
  }

  /** null: no wait is needed. */
  spend(way: keyof Buckets, bytes: number): Promise<void> | null {
    const waitMs = this.#isReleased ? 0 : (this.#buckets?.[way].spend(bytes) ?? 0);
    if (waitMs === 0) return null;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(timer);
        resolve();
      }, waitMs);
      this.#waiting.set(timer, resolve);
    });
  }

  /** Ends all waits, and prevents new ones. */
  release(): void {
    this.#isReleased = true;
    for (const [timer, resolve] of this.#waiting) {
      clearTimeout(timer);
      resolve();
    }
    this.#waiting.clear();
  }
}
