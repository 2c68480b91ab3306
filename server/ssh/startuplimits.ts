/** Limits the connections that have not logged in: in total, and of each source. */
import { networkOf, type Source } from './source.js';

export interface StartupOptions {
  /** `maxUnauthenticated` of the settings. */
  most: number;
  mostPerSource: number;
  /** From 0 to below 1. */
  random: () => number;
}

export type StartupRefusal = 'too many connections without a login' | 'too many of this address without a login';

export class StartupLimits {
  readonly #counts = new Map<Source, number>();
  #total = 0;
  readonly #options: StartupOptions;

  constructor(options: StartupOptions) {
    this.#options = options;
  }

  /**
   * null: admitted, and must `leave` later. From half of the limit on it drops a rising share of new connections (as
   * OpenSSH's MaxStartups does), so that a flood can't take every slot. `users`: organizations that logged in from the
   * source within a day; then it is admitted all the same, and more of it. `isExempt`: many clients may share the address.
   */
  enter(source: Source, { users, isExempt }: { users: number; isExempt: boolean }): StartupRefusal | null {
    const { most, random } = this.#options;
    const own = this.#counts.get(source) ?? 0;
    if (!isExempt && (own >= this.#mostOf(users) || this.#isNetworkFull(source, users)))
      return 'too many of this address without a login';
    const half = Math.floor(most / 2);
    const chance = this.#total < half ? 0 : (this.#total - half + 1) / (most - half + 1);
    const isFull = this.#total >= most;
    if (users === 0 && (isFull || random() < chance)) return 'too many connections without a login';
    for (const counted of [source, networkOf(source)]) this.#add(counted, 1);
    this.#total++;
    return null;
  }

  leave(source: Source): void {
    for (const counted of [source, networkOf(source)]) this.#add(counted, -1);
    this.#total--;
  }

  /** Grows with the users of the source, so that all of them may connect at one moment. */
  #mostOf(users: number): number {
    const { most, mostPerSource } = this.#options;
    if (users === 0) return mostPerSource;
    return Math.min(mostPerSource * (2 + users), Math.max(most, mostPerSource + users));
  }

  /** The sources of one IPv6 /48 that are not known may together have twice as many as one of them. */
  #isNetworkFull(source: Source, users: number): boolean {
    const network = networkOf(source);
    return network !== null && users === 0 && (this.#counts.get(network) ?? 0) >= 2 * this.#options.mostPerSource;
  }

  #add(counted: Source | null, change: 1 | -1): void {
    if (counted === null) return;
    const count = (this.#counts.get(counted) ?? 0) + change;
    if (count > 0) this.#counts.set(counted, count);
    else this.#counts.delete(counted);
  }
}
