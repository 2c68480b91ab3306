/** Browsers in which a person has signed in before: guesses from other browsers do not use up their attempts. */
import type { Queryable } from '../connection.js';

const mostBrowsers = 20;

/** A new sign-in of a browser; over a number the one that was used longest ago is forgotten. */
export async function noteBrowser(tx: Queryable, hash: string, account: string, at: number): Promise<void> {
  await tx('account_browsers').insert({ hash, account_id: account, seen_at: at }).onConflict('hash').merge();
  const rows = await tx('account_browsers').where({ account_id: account }).orderBy('seen_at', 'desc').select('hash');
  const old = rows.slice(mostBrowsers).map((row) => row.hash as string);
  if (old.length > 0) await tx('account_browsers').whereIn('hash', old).delete();
}

export async function forgetBrowser(db: Queryable, hash: string, account: string): Promise<void> {
  await db('account_browsers').where({ hash, account_id: account }).delete();
}

/** @param since a browser that has not signed in since then is no longer known */
export async function isKnownBrowser(db: Queryable, hash: string, emailKey: string, since: number): Promise<boolean> {
  const row = await db('account_browsers')
    .join('accounts', 'accounts.id', 'account_browsers.account_id')
    .where({ 'account_browsers.hash': hash, 'accounts.email_key': emailKey })
    .where('seen_at', '>', since)
    .first('seen_at');
  return row !== undefined;
}

export async function deleteBrowsers(db: Queryable, account: string): Promise<void> {
  await db('account_browsers').where({ account_id: account }).delete();
}
