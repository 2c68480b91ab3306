/** Decides against whom a failed login counts: an address, its network, or one user name at an address that others log in from. */
import type { KnownUsers } from './knownusers.js';
import type { Offence, Penalties, Penalty } from './penalties.js';
import { networkOf, type Source } from './source.js';

/**
 * An address from which organizations log in may be a whole company, or a vendor's exit for hundreds of customers: its
 * connections together may fail this many times as often, and its penalty never closes it to those that log in there.
 */
const sharedFactor = 4;
/** The same for the sources of one IPv6 /48 that no organization logs in from. */
const networkFactor = 4;

/** While a shared address has a penalty it may open this many connections a second, and this many at once. */
const admittedPerSecond = 10;
const admittedAtOnce = 20;

export interface Admission {
  /** Until the source may connect; 0: now. */
  waitMs: number;
  /** Organizations that logged in from the source within a day. */
  users: number;
}

export interface Attempt {
  source: Source;
  user: string;
  credential: string;
  kind: 'key' | 'password';
}

export class LoginPenalties {
  readonly #table: Penalties;
  readonly #known: KnownUsers;
  readonly #now: () => number;
  /** Connections that a shared address with a penalty may open now; it has one entry only while the penalty lasts. */
  readonly #tokens = new Map<Source, { left: number; at: number }>();

  constructor(table: Penalties, known: KnownUsers, now: () => number) {
    this.#table = table;
    this.#known = known;
    this.#now = now;
  }

  /** Asked once for each new connection. */
  admit(source: Source): Admission {
    const users = this.#known.countUsers(source);
    const ownMs = this.#table.remainingMs(source);
    if (users === 0) return { waitMs: Math.max(ownMs, this.#networkMs(source)), users };
    if (ownMs === 0) this.#tokens.delete(source);
    return { waitMs: ownMs === 0 || this.#takeToken(source) ? 0 : 1000, users };
  }

  /** Whether connections of the source that have not logged in must end. */
  isClosed(source: Source): boolean {
    if (this.#known.countUsers(source) > 0) return false;
    return this.#table.remainingMs(source) > 0 || this.#networkMs(source) > 0;
  }

  /**
   * Milliseconds for which the attempt is not checked; 0: it is. At a shared address, penalties stop only what has not
   * logged in there: a key that has is checked always, since its public half is no guess; a password that has, as long as
   * its user has no penalty.
   */
  waitMs({ source, user, credential, kind }: Attempt): number {
    if (this.#known.countUsers(source) === 0) return 0;
    const nameMs = isName(user) ? this.#table.remainingMs(nameAt(source, user)) : 0;
    if (this.#known.has(source, user, credential)) return kind === 'key' ? 0 : nameMs;
    return Math.max(nameMs, this.#table.remainingMs(source));
  }

  /** Whether the attempt is a guess, as far as can be seen: the credential did not log in from there lately. */
  isNew({ source, user, credential }: Attempt): boolean {
    return !this.#known.has(source, user, credential);
  }

  /** A connection ended without a login. `user` null: it named none. Returns the penalties that begin. */
  charge(source: Source, offence: Offence, user: string | null): Penalty[] {
    const charges: (Penalty | null)[] = [];
    if (this.#known.countUsers(source) > 0) {
      if (offence === 'wrong keys' && user !== null && isName(user))
        charges.push(this.#table.charge(nameAt(source, user), offence));
      charges.push(this.#table.charge(source, offence, sharedFactor));
    } else {
      charges.push(this.#table.charge(source, offence));
      const network = networkOf(source);
      if (network !== null) charges.push(this.#table.charge(network, offence, networkFactor));
    }
    return charges.filter((penalty) => penalty !== null);
  }

  /** Failures before a login do not count. At a shared address those of other users do: their guesses would be free. */
  recordLogin({ source, user, credential }: Omit<Attempt, 'kind'>): void {
    const isFirst = this.#known.countUsers(source) === 0;
    this.#known.remember(source, user, credential, this.#now());
    this.#table.clearPoints([...(isFirst ? [source] : []), nameAt(source, user)]);
  }

  #networkMs(source: Source): number {
    const network = networkOf(source);
    return network === null ? 0 : this.#table.remainingMs(network);
  }

  #takeToken(source: Source): boolean {
    const now = this.#now();
    const { left, at } = this.#tokens.get(source) ?? { left: admittedAtOnce, at: now };
    const filled = Math.min(admittedAtOnce, left + (Math.max(0, now - at) / 1000) * admittedPerSecond);
    const isAdmitted = filled >= 1;
    this.#tokens.set(source, { left: isAdmitted ? filled - 1 : filled, at: now });
    return isAdmitted;
  }
}

/** An organization's id could be so. Other texts, which may be passwords in the wrong field, count for the address alone. */
function isName(user: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,63}$/.test(user);
}

/** Under this name the table and `penalties list` have the penalty of a user name at an address. */
export function nameAt(source: Source, user: string): string {
  return `${source} ${user}`;
}
