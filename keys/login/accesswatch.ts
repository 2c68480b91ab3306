/** Watches the open logins, and ends each whose key was revoked, has expired or has another permission now. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { readAccess } from '../../db/control/accessversion.js';
import type { Authenticator, Login } from './authenticate.js';

export interface AccessWatch {
  /** `end` is called once, with the reason for the log, when the login is no longer valid. Returns a function that stops guarding it. */
  guard(login: Login, address: string | null, end: (reason: string) => void): () => void;
}

interface Guarded {
  login: Login;
  address: string | null;
  end: (reason: string) => void;
  /** The version of access at which it was last judged; null: not known, and access may have changed since its login. */
  seen: number | null;
}

interface WatchDeps {
  control: Db;
  authenticator: Pick<Authenticator, 'review'>;
  logger: Logger;
  now: () => number;
  /** Between two reads of the version: a third of the second within which a revoked session ends. */
  everyMs?: number;
}

/** Reads the database only while there is a login: one row by its primary key, and the keys only when that has changed. */
export function createAccessWatch({ control, authenticator, logger, now, everyMs = 300 }: WatchDeps): AccessWatch {
  const guarded = new Set<Guarded>();
  let isWatching = false;

  const checkLogins = async (): Promise<void> => {
    const version = await readAccess(control.read);
    const isOver = ({ validUntil }: Login) => validUntil !== null && validUntil <= now();
    const doubtful = [...guarded].filter(({ login, seen }) => seen !== version || isOver(login));
    if (doubtful.length === 0) return;
    const review = authenticator.review(doubtful.map(({ login }) => login));
    const judge = async (each: Guarded): Promise<void> => {
      const { login, address } = each;
      const outcome = await review(login, address);
      if (!('denied' in outcome) && outcome.permission === login.permission) {
        each.seen = version;
        each.login = outcome;
      } else if (guarded.delete(each)) {
        each.end('denied' in outcome ? outcome.denied : 'other permission for this key');
      }
    };
    await Promise.all(doubtful.map(judge));
  };

  const watch = async (): Promise<void> => {
    let failedBefore = false;
    while (guarded.size > 0) {
      await sleep(everyMs, undefined, { ref: false });
      // A stopping server closes the database after the last session, and a query to a closed pool waits for a minute.
      if (guarded.size === 0) break;
      try {
        await checkLogins();
        failedBefore = false;
      } catch (error) {
        // Without the database there are no logins and no uploads either: the sessions stay open until it answers again.
        if (!failedBefore && guarded.size > 0)
          logger.error('could not check whether login keys were revoked; sessions stay open, will retry', {
            detail: (error as Error).message,
          });
        failedBefore = true;
      }
    }
    isWatching = false;
  };

  return {
    guard(login, address, end) {
      const each: Guarded = { login, address, end, seen: login.access ?? null };
      guarded.add(each);
      if (!isWatching) {
        isWatching = true;
        void watch();
      }
      return () => void guarded.delete(each);
    },
  };
}
