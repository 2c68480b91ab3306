/** Bounds requests by rate: a bucket for each token and for each address, in a table of bounded size. */

const mostBuckets = 10_000;

interface Bucket {
  left: number;
  at: number;
}

export class Limiter {
  readonly #perMinute: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param now in ms */
  constructor(perMinute: number, now: () => number) {
    this.#perMinute = perMinute;
    this.#now = now;
  }

  /** Takes one request from a bucket. @returns seconds to wait; 0: it may go on */
  take(name: string): number {
    const now = this.#now();
    const bucket = this.#buckets.get(name) ?? { left: this.#perMinute, at: now };
    const regained = (Math.max(0, now - bucket.at) * this.#perMinute) / 60_000;
    const left = Math.min(this.#perMinute, bucket.left + regained);
    const isFree = left >= 1;
    // The bucket that was used longest ago is forgotten: it is the fullest one.
    this.#buckets.delete(name);
    this.#buckets.set(name, { left: isFree ? left - 1 : left, at: now });
    if (this.#buckets.size > mostBuckets) this.#buckets.delete(this.#buckets.keys().next().value!);
    return isFree ? 0 : Math.ceil(((1 - left) * 60) / this.#perMinute);
  }
}
