/** Browsers in which a person has signed in before: strangers who guess at an account from elsewhere do not keep its person out. */
import { randomBytes } from 'node:crypto';
import { forgetBrowser, isKnownBrowser, noteBrowser } from '../../db/control/accountbrowsers.js';
import { emailKey } from '../../importer/read/normalize.js';
import type { Workplace } from '../workplace.js';
import { hashCode } from './people.js';
import type { Begun } from './sessions.js';

const knownMs = 365 * 86_400_000;

/** Whether the cookie of a browser is of an earlier sign-in of the account with this address. */
export async function knowsBrowser({ control, now }: Workplace, secret: string, email: string): Promise<boolean> {
  if (!/^[\w-]{43}$/.test(secret)) return false;
  return isKnownBrowser(control.read, hashCode(secret), emailKey(email.trim()), now() - knownMs);
}

/**
 * After a sign-in. @param former the cookie of the browser until now; '': none
 * @returns its new cookie: a copy of the one of before is of no use afterwards
 */
export async function rememberBrowser(
  { control, now }: Workplace,
  { account }: Begun,
  former: string,
): Promise<string> {
  const secret = randomBytes(32).toString('base64url');
  await control.transact(async (tx) => {
    await forgetBrowser(tx, hashCode(former), account.id);
    await noteBrowser(tx, hashCode(secret), account.id, now());
  });
  return secret;
}

/** The name by which attempts are counted: every form of writing that finds the same account has the same one. */
export function countedName(email: string): string {
  return emailKey(email.trim()).slice(0, 254);
}
