/** Browsers in which a person has signed in before: strangers who guess at an account from elsewhere do not keep its person out. */
import { randomBytes } from 'node:crypto';
import { isKnownBrowser, noteBrowser } from '../../db/control/accountbrowsers.js';
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

/** After a sign-in. @returns the new cookie of the browser: one that was copied before is of no use afterwards */
export async function rememberBrowser({ control, now }: Workplace, { account }: Begun): Promise<string> {
  const secret = randomBytes(32).toString('base64url');
  await control.transact((tx) => noteBrowser(tx, hashCode(secret), account.id, now()));
  return secret;
}
