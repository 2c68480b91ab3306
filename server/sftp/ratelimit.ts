/** How fast bytes may go: a bucket of tokens that many sessions share, and one session's waits for it. */

/** What may go at once after a pause, in seconds of the rate. */
const burstSeconds = 1;

export class TokenBucket {
  #level = 0;
  #at: number;
  #bytesPerSecond: number | null = null;

  readonly #now: () => number;

  /** The bucket is full when it gets its first rate. */
  constructor(now: () => number) {
    this.#now = now;
    this.#at = now();
  }

  /** null: as fast as it goes. */
  setRate(bytesPerSecond: number | null): void {
    if (bytesPerSecond === this.#bytesPerSecond) return;
    this.#bytesPerSecond = bytesPerSecond;
    this.#level = (bytesPerSecond ?? 0) * burstSeconds;
  }

  /** Takes `bytes`, which may leave a debt; milliseconds until it is paid. */
  spend(bytes: number): number {
    const rate = this.#bytesPerSecond;
    if (rate === null) return 0;
    const now = this.#now();
    this.#level = Math.min(rate * burstSeconds, this.#level + (Math.max(0, now - this.#at) / 1000) * rate) - bytes;
    this.#at = now;
    return this.#level >= 0 ? 0 : Math.ceil((-this.#level / rate) * 1000);
  }
}

/** The buckets of an organization: what its clients send, and what they fetch. */
export interface Buckets {
  up: TokenBucket;
  down: TokenBucket;
}

/** Waits that end early when nobody is left to wait for. */
export class RateLimiter {
  readonly #waiting = new Map<NodeJS.Timeout, () => void>();
  #isReleased = false;
  readonly #buckets: Buckets | null;

  constructor(buckets: Buckets | null) {
    this.#buckets = buckets;
  }

  /** null: nothing to wait for. */
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

  /** Ends all waits, and there are none from here on. */
  release(): void {
    this.#isReleased = true;
    for (const [timer, resolve] of this.#waiting) {
      clearTimeout(timer);
      resolve();
    }
    this.#waiting.clear();
  }
}
