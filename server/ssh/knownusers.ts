/** Remembers which organizations logged in from which sources, by which credentials, in bounded memory: only a login adds to it. */
import type { Db } from '../../db/connection.js';
import { listLastLogins } from '../../db/control/penalties.js';
import { plainAddress } from '../../keys/login/addresses.js';
import { type Source, sourceOf } from './source.js';

const dayMs = 24 * 3600_000;
/** Longer than a month: for jobs that run monthly. */
const rememberedMs = 35 * dayMs;

/** Pairs of source and credential of one organization; its oldest is forgotten first, and no other organization's. */
const mostOfUser = 64;
const mostUsers = 20_000;

export interface KnownUsers {
  /** `user` logged in from `source` with this credential at this time. */
  remember(source: Source, user: string, credential: string, at: number): void;
  /** The number of organizations that logged in from `source` within a day. */
  countUsers(source: Source): number;
  /** Whether that credential logged in from there within a day. */
  has(source: Source, user: string, credential: string): boolean;
  /** Whether any organization logged in from there within some weeks. */
  hasMet(source: Source): boolean;
}

export function createKnownUsers(now: () => number): KnownUsers {
  /** Times of the last logins, by user, then by source and credential: the oldest first. */
  const logins = new Map<string, Map<string, { source: Source; at: number }>>();
  /** The same by source, then by user. */
  const sources = new Map<Source, Map<string, number>>();

  const forget = (user: string, source: Source): void => {
    if ([...(logins.get(user)?.values() ?? [])].some((login) => login.source === source)) return;
    const users = sources.get(source);
    users?.delete(user);
    if (users?.size === 0) sources.delete(source);
  };
  const trim = (user: string): void => {
    const own = logins.get(user)!;
    for (const [name, { source, at }] of own) {
      if (own.size <= mostOfUser && at > now() - rememberedMs) break;
      own.delete(name);
      forget(user, source);
    }
  };
  return {
    remember(source, user, credential, at) {
      const own = logins.get(user) ?? new Map<string, { source: Source; at: number }>();
      if (!logins.has(user) && logins.size >= mostUsers) return;
      logins.set(user, own);
      const name = `${source} ${credential}`;
      const last = Math.max(at, own.get(name)?.at ?? 0);
      own.delete(name);
      own.set(name, { source, at: last });
      const users = sources.get(source) ?? new Map<string, number>();
      sources.set(source, users.set(user, Math.max(last, users.get(user) ?? 0)));
      trim(user);
    },
    countUsers(source) {
      let count = 0;
      for (const at of sources.get(source)?.values() ?? []) if (at > now() - dayMs) count++;
      return count;
    },
    has: (source, user, credential) =>
      (logins.get(user)?.get(`${source} ${credential}`)?.at ?? Number.NEGATIVE_INFINITY) > now() - dayMs,
    hasMet: (source) => sources.has(source),
  };
}

/** Takes over the last login of each login key from the database. @throws when the control database can't be asked. */
export async function recallLogins(
  known: KnownUsers,
  { control, now }: { control: Db; now: () => number },
): Promise<void> {
  const logins = await listLastLogins(control.read, now() - rememberedMs, 10_000);
  for (const { org, fingerprint, address, at } of logins.reverse())
    known.remember(sourceOf(plainAddress(address)), org, fingerprint, at);
}
