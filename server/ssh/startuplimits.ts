/** Limits the connections that have not logged in: in total, and of each source. */
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
   * null: admitted, and must `leave` later. From half of the limit on it drops a rising share of new connections (as
   * OpenSSH's MaxStartups does), so that a flood can't take every slot. `isKnown`: the source logged in lately and is
   * admitted all the same; their number is bounded. `isExempt`: many clients may share the address.
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
