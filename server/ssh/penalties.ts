/** Decides which sources may not connect for a while, after wrong keys, stalled logins or broken protocol; in bounded memory. */
import { createHmac, randomBytes } from 'node:crypto';
import type { Source } from './source.js';

/** Why a connection that ended without a login counts against its source. */
export type Offence = keyof typeof offencePoints;

/** A source loses a point each second, so that occasional failures of legitimate clients bring no penalty. */
const offencePoints = {
  'wrong keys': 5,
  'no login in time': 5,
  'not the SSH protocol': 5,
  // Port scans, health checks, and clients that know none of our algorithms.
  'left without a login': 1,
} as const;

/** A source with more points gets a penalty: at the fourth wrong key within seconds. */
const mostPoints = 15;

/** A source that logged in within a day may be many people behind one address, or have a new key: it may fail more often. */
const knownFactor = 4;
const knownMs = 24 * 3600_000;

const firstPenaltyMs = 15_000;

/** After this long without a new penalty the next one is half as long. */
const strikeMs = 600_000;

/** 32,768 sources each of IPv4 and IPv6, some 8 MB; a flood of one family forgets nothing of the other. */
const setCount = 4096;
const ways = 8;

export interface Penalty {
  source: Source;
  /** Milliseconds since 1970. */
  until: number;
  /** How many penalties in a row this is. */
  strikes: number;
  cause: string;
}

interface Entry {
  source: Source;
  points: number;
  /** When `points` was right. */
  at: number;
  until: number;
  strikes: number;
  knownUntil: number;
}

export interface PenaltyOptions {
  now: () => number;
  longestPenaltyMs: number;
  /** Sources of each family are kept in so many sets of eight; for tests. */
  sets?: number;
}

export class Penalties {
  readonly #families: { readonly v4: Entry[][]; readonly v6: Entry[][] };
  /** Keeps attackers from choosing sources that fall into one set. */
  readonly #secret = randomBytes(16);
  readonly #sets: number;
  readonly #options: PenaltyOptions;

  constructor(options: PenaltyOptions) {
    this.#options = options;
    this.#sets = options.sets ?? setCount;
    this.#families = { v4: [], v6: [] };
  }

  /** Milliseconds that `source` must still wait; 0: it may connect. */
  remainingMs(source: Source): number {
    const entry = this.#find(source);
    // A clock that was set back must not lengthen a penalty.
    const leftMs = (entry?.until ?? 0) - this.#options.now();
    return Math.min(Math.max(0, leftMs), this.#options.longestPenaltyMs);
  }

  /** Whether the source logged in within a day. */
  isKnown(source: Source): boolean {
    return (this.#find(source)?.knownUntil ?? 0) > this.#options.now();
  }

  /** Adds the points of an offence. Returns the penalty that begins with it; null: none. */
  charge(source: Source, offence: Offence): Penalty | null {
    const entry = this.#find(source) ?? this.#add(source);
    if (entry === null) return null;
    const now = this.#options.now();
    this.#forget(entry, now);
    // Connections that were accepted before the penalty began add nothing to it.
    if (entry.until > now) return null;
    entry.points += offencePoints[offence];
    if (entry.points <= mostPoints * (entry.knownUntil > now ? knownFactor : 1)) return null;
    entry.points = 0;
    entry.until = now + Math.min(firstPenaltyMs * 2 ** entry.strikes, this.#options.longestPenaltyMs);
    entry.strikes++;
    return { source, until: entry.until, strikes: entry.strikes, cause: offence };
  }

  /** An organization logged in from `source` at this time. */
  recordLogin(source: Source, at = this.#options.now()): void {
    const entry = this.#find(source) ?? this.#add(source);
    if (entry === null) return;
    entry.points = 0;
    entry.knownUntil = Math.max(entry.knownUntil, at + knownMs);
  }

  /** Takes over a penalty that another node, or this one before its restart, has begun. */
  impose({ source, until, strikes }: Pick<Penalty, 'source' | 'until' | 'strikes'>): void {
    if (until <= this.#options.now()) return;
    const entry = this.#find(source) ?? this.#add(source);
    if (entry === null) return;
    entry.until = Math.max(entry.until, until);
    entry.strikes = Math.max(entry.strikes, strikes);
  }

  /** Removes its points and penalties; its record of a successful login is kept. */
  forgive(source: Source): void {
    const entry = this.#find(source);
    if (entry !== undefined) Object.assign(entry, { points: 0, until: 0, strikes: 0 });
  }

  forgiveAll(): void {
    for (const set of [...this.#families.v4, ...this.#families.v6])
      for (const entry of set ?? []) Object.assign(entry, { points: 0, until: 0, strikes: 0 });
  }

  #find(source: Source): Entry | undefined {
    return this.#setOf(source)?.find((entry) => entry.source === source);
  }

  /** null: its set is full of sources that weigh more. Then the caps on unauthenticated connections hold it. */
  #add(source: Source): Entry | null {
    const now = this.#options.now();
    const entry: Entry = { source, points: 0, at: now, until: 0, strikes: 0, knownUntil: 0 };
    const index = this.#indexOf(source);
    const family = this.#familyOf(source);
    family[index] ??= [];
    const set = family[index];
    if (set.length < ways) set.push(entry);
    else {
      const weights = set.map((other) => this.#weigh(other, now));
      const least = Math.min(...weights);
      if (least >= mostPoints) return null;
      set[weights.indexOf(least)] = entry;
    }
    return entry;
  }

  /** The value of an entry: those with a penalty now or lately, and known ones, are kept before all others. */
  #weigh(entry: Entry, now: number): number {
    this.#forget(entry, now);
    return entry.until > now || entry.strikes > 0 || entry.knownUntil > now ? mostPoints : entry.points;
  }

  #forget(entry: Entry, now: number): void {
    entry.points = Math.max(0, entry.points - Math.max(0, now - entry.at) / 1000);
    entry.at = now;
    while (entry.strikes > 0 && now - entry.until >= strikeMs) {
      entry.strikes--;
      entry.until += strikeMs;
    }
  }

  #setOf(source: Source): Entry[] | undefined {
    return this.#familyOf(source)[this.#indexOf(source)];
  }

  #familyOf(source: Source): Entry[][] {
    return source.includes(':') ? this.#families.v6 : this.#families.v4;
  }

  #indexOf(source: Source): number {
    return createHmac('sha256', this.#secret).update(source).digest().readUInt32LE(0) % this.#sets;
  }
}
