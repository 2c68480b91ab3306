/** Counts offences of sources, and of user names at sources, and begins penalties: in a table of fixed size. */
import { createHmac, randomBytes } from 'node:crypto';

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

const firstPenaltyMs = 15_000;

/** After this long without a new penalty the next one is half as long. */
const strikeMs = 600_000;

/** The clocks of two nodes differ by less. */
const skewMs = 600_000;

/** 32,768 sources each of IPv4 and IPv6, some 8 MB; a flood of one family forgets nothing of the other. */
const setCount = 4096;
const ways = 8;

/** A source, the /48 of IPv6 sources, or a user name at a source: `192.0.2.7`, `2001:db8::/48`, `192.0.2.7 acme`. */
export type Subject = string;

export interface Penalty {
  source: Subject;
  /** Milliseconds since 1970. */
  until: number;
  /** How many penalties in a row this is. */
  strikes: number;
  cause: string;
}

interface Entry {
  source: Subject;
  points: number;
  /** When `points` was right. */
  at: number;
  until: number;
  strikes: number;
}

export interface PenaltyOptions {
  now: () => number;
  longestPenaltyMs: number;
  /** Sources of each family are kept in so many sets of eight; for tests. */
  sets?: number;
}

/** Whether a subject is a source, or a user name at it. */
export function isAt(subject: Subject, source: Subject): boolean {
  return subject === source || subject.startsWith(`${source} `);
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
  remainingMs(source: Subject): number {
    const entry = this.#find(source);
    if (entry === undefined) return 0;
    const now = this.#options.now();
    // A clock that was set back must not lengthen a penalty.
    entry.until = Math.min(entry.until, now + this.#options.longestPenaltyMs);
    return Math.max(0, entry.until - now);
  }

  /** Adds the points of an offence. Returns the penalty that begins with it; null: none. `factor`: how often it may fail. */
  charge(source: Subject, offence: Offence, factor = 1): Penalty | null {
    const entry = this.#find(source) ?? this.#add(source);
    if (entry === null) return null;
    const now = this.#options.now();
    this.#forget(entry, now);
    // Connections that were accepted before the penalty began add nothing to it.
    if (entry.until > now) return null;
    entry.points += offencePoints[offence];
    if (entry.points <= mostPoints * factor) return null;
    entry.points = 0;
    entry.until = now + Math.min(firstPenaltyMs * 2 ** entry.strikes, this.#options.longestPenaltyMs);
    entry.strikes++;
    return { source, until: entry.until, strikes: entry.strikes, cause: offence };
  }

  /** A login succeeded: its failures before do not count. */
  clearPoints(sources: readonly Subject[]): void {
    for (const source of sources) {
      const entry = this.#find(source);
      if (entry !== undefined) entry.points = 0;
    }
  }

  /** Takes over a penalty that another node, or this one before its restart, has begun. */
  impose({ source, until, strikes }: Pick<Penalty, 'source' | 'until' | 'strikes'>): void {
    const leftMs = until - this.#options.now();
    // Longer than any: it began under a clock that was ahead, and would be taken over again and again.
    if (leftMs <= 0 || leftMs > this.#options.longestPenaltyMs + skewMs) return;
    const entry = this.#find(source) ?? this.#add(source);
    if (entry === null) return;
    entry.until = Math.max(entry.until, until);
    entry.strikes = Math.max(entry.strikes, strikes);
  }

  /** Removes the points and penalties of a source, and of the user names at it. */
  forgive(source: Subject): void {
    this.#forgiveEach((entry) => isAt(entry.source, source));
  }

  forgiveAll(): void {
    this.#forgiveEach(() => true);
  }

  #forgiveEach(isMeant: (entry: Entry) => boolean): void {
    for (const set of [...this.#families.v4, ...this.#families.v6])
      for (const entry of set ?? []) if (isMeant(entry)) Object.assign(entry, { points: 0, until: 0, strikes: 0 });
  }

  #find(source: Subject): Entry | undefined {
    return this.#setOf(source)?.find((entry) => entry.source === source);
  }

  /** null: its set is full of sources that weigh more. Then the caps on unauthenticated connections hold it. */
  #add(source: Subject): Entry | null {
    const now = this.#options.now();
    const entry: Entry = { source, points: 0, at: now, until: 0, strikes: 0 };
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

  /** The value of an entry: those with a penalty now or lately are kept before all others. */
  #weigh(entry: Entry, now: number): number {
    this.#forget(entry, now);
    return entry.until > now || entry.strikes > 0 ? mostPoints : entry.points;
  }

  #forget(entry: Entry, now: number): void {
    entry.points = Math.max(0, entry.points - Math.max(0, now - entry.at) / 1000);
    entry.at = now;
    while (entry.strikes > 0 && now - entry.until >= strikeMs) {
      entry.strikes--;
      entry.until += strikeMs;
    }
  }

  #setOf(source: Subject): Entry[] | undefined {
    return this.#familyOf(source)[this.#indexOf(source)];
  }

  #familyOf(source: Subject): Entry[][] {
    return source.includes(':') ? this.#families.v6 : this.#families.v4;
  }

  #indexOf(source: Subject): number {
    return createHmac('sha256', this.#secret).update(source).digest().readUInt32LE(0) % this.#sets;
  }
}
