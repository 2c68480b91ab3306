/**
 * Bounds how many transfers hold memory, or a connection, at once. The organizations that wait take turns, and none of them gets all
 * places: one whose transfers hang does not hold up the others.
 */

interface Waiter {
  since: number;
  begin(): void;
  fail(error: unknown): void;
}

interface Owner {
  running: number;
  waiting: Waiter[];
  succeededAt: number;
  /** Outages since then. */
  outages: number;
}

export interface LaneOptions {
  count: number;
  /** In an outage those fail too that have waited for so long without a success of their owner, in ms. */
  patienceMs: number;
  /** Whether an error would meet the others too; one of a single file says nothing about them. */
  isOutage(error: unknown): boolean;
  now?: () => number;
}

export class Lanes {
  readonly #owners = new Map<string, Owner>();
  readonly #mostOfOne: number;
  readonly #patienceMs: number;
  readonly #isOutage: (error: unknown) => boolean;
  readonly #now: () => number;
  #free: number;

  constructor({ count, patienceMs, isOutage, now = () => performance.now() }: LaneOptions) {
    this.#free = count;
    this.#mostOfOne = Math.ceil(count * 0.75);
    this.#patienceMs = patienceMs;
    this.#isOutage = isOutage;
    this.#now = now;
  }

  /**
   * @param signal ends the wait for a place; `work` must follow it by itself
   * @throws the error of `work`, that of another one of the same owner for which this one had waited, or the reason of the signal
   */
  async run<T>(owner: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#enter(owner, signal);
    try {
      const result = await work();
      Object.assign(this.#ownerOf(owner), { succeededAt: this.#now(), outages: 0 });
      return result;
    } catch (error) {
      if (this.#isOutage(error)) this.#giveUp(this.#ownerOf(owner), error);
      throw error;
    } finally {
      this.#leave(owner);
    }
  }

  #ownerOf(name: string): Owner {
    const none = { running: 0, waiting: [], succeededAt: Number.NEGATIVE_INFINITY, outages: 0 };
    const owner = this.#owners.get(name) ?? none;
    this.#owners.set(name, owner);
    return owner;
  }

  async #enter(name: string, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const owner = this.#ownerOf(name);
    let leave = (): void => {};
    await new Promise<void>((begin, fail) => {
      const waiter = { since: this.#now(), begin, fail };
      leave = () => {
        owner.waiting = owner.waiting.filter((one) => one !== waiter);
        this.#forgetIdle(name, owner);
        fail(signal!.reason);
      };
      signal?.addEventListener('abort', leave, { once: true });
      owner.waiting.push(waiter);
      this.#beginNext();
    }).finally(() => signal?.removeEventListener('abort', leave));
  }

  #leave(name: string): void {
    this.#free++;
    const owner = this.#ownerOf(name);
    owner.running--;
    this.#beginNext();
    this.#forgetIdle(name, owner);
  }

  #forgetIdle(name: string, { running, waiting }: Owner): void {
    if (running === 0 && waiting.length === 0) this.#owners.delete(name);
  }

  /** The one that has the fewest is next; of several, the one whose last turn was longest ago, since each turn puts its owner at the end. */
  #beginNext(): void {
    while (this.#free > 0) {
      let next: [string, Owner] | null = null;
      for (const [name, owner] of this.#owners)
        if (owner.waiting.length > 0 && owner.running < (next?.[1].running ?? this.#mostOfOne)) next = [name, owner];
      if (next === null) return;
      const [name, owner] = next;
      this.#free--;
      owner.running++;
      this.#owners.delete(name);
      this.#owners.set(name, owner);
      owner.waiting.shift()!.begin();
    }
  }

  /** Not while one of its places may still succeed: each of them has failed since the last success. */
  #giveUp(owner: Owner, error: unknown): void {
    if (++owner.outages < owner.running) return;
    const isStuck = ({ since }: Waiter) => since <= this.#now() - this.#patienceMs && owner.succeededAt < since;
    const stuck = owner.waiting.filter(isStuck);
    owner.waiting = owner.waiting.filter((waiter) => !isStuck(waiter));
    for (const { fail } of stuck) fail(error);
  }
}
