/** Caps on connections that have not logged in: in all, and of each source. */
import type { Source } from './source.js';

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
   * null: it may come in, and must `leave` later. From half of the cap on a rising share of newcomers is dropped (as
   * OpenSSH's MaxStartups does), so that a flood does not simply hold every place. `isKnown`: it logged in lately and
   * finds a place all the same; only so many sources are known. `isExempt`: many clients may stand behind it.
   */
  enter(source: Source, { isKnown, isExempt }: { isKnown: boolean; isExempt: boolean }): StartupRefusal | null {
    const { most, mostPerSource, random } = this.#options;
    const own = this.#counts.get(source) ?? 0;
    if (!isExempt && own >= mostPerSource) return 'too many of this address without a login';
    const half = Math.floor(most / 2);
    const chance = this.#total < half ? 0 : (this.#total - half + 1) / (most - half + 1);
    const isFull = this.#total >= most;
    if (!isKnown && (isFull || random() < chance)) return 'too many connections without a login';
    this.#counts.set(source, own + 1);
    this.#total++;
    return null;
  }

  leave(source: Source): void {
    const own = this.#counts.get(source) ?? 0;
    if (own > 1) this.#counts.set(source, own - 1);
    else this.#counts.delete(source);
    this.#total--;
  }
}
