/** Sessions of the web console: a row for each, found by the hash of its cookie; a session without a row has ended. */
import type { Queryable } from '../connection.js';

export type SignInMethod = 'password' | 'passkey' | 'provider' | 'invitation';

export interface AccountSession {
  /** `ses_…`: names it in lists; it is no secret. */
  id: string;
  account: string;
  /** null: of an older version. */
  method: SignInMethod | null;
  createdAt: number;
  /** When the person proved who they are: at a provider that may have been before the session began. */
  authenticatedAt: number;
  /** To the minute. */
  seenAt: number;
  expiresAt: number;
  address: string | null;
  agent: string | null;
}

export async function insertSession(db: Queryable, session: AccountSession & { hash: string }): Promise<void> {
  const { id, hash, account, method, createdAt, authenticatedAt, seenAt, expiresAt, address, agent } = session;
  await db('account_sessions').insert({
    ...{ id, hash, account_id: account, method, address, agent },
    ...{ created_at: createdAt, authenticated_at: authenticatedAt, seen_at: seenAt, expires_at: expiresAt },
  });
}

/** Expired ones too; null: none has this hash. */
export async function findSession(db: Queryable, hash: string): Promise<AccountSession | null> {
  const row = await db('account_sessions').where({ hash }).first();
  return row === undefined ? null : toSession(row);
}

/** Whether a session of the account goes on: it does not end before the transaction does. */
export async function lockSession(tx: Queryable, account: string, id: string): Promise<boolean> {
  return (await tx('account_sessions').where({ account_id: account, id }).forUpdate().first('id')) !== undefined;
}

/** The one that was used last comes first. */
export async function listSessions(db: Queryable, account: string): Promise<AccountSession[]> {
  return (await db('account_sessions').where({ account_id: account }).orderBy('seen_at', 'desc').orderBy('id')).map(
    toSession,
  );
}

export async function noteSessionUse(db: Queryable, id: string, at: number, address: string | null): Promise<void> {
  await db('account_sessions').where({ id }).update({ seen_at: at, address });
}

/** Ends one session of an account; false: it has no such session. */
export async function deleteSession(db: Queryable, account: string, id: string): Promise<boolean> {
  return (await db('account_sessions').where({ account_id: account, id }).delete()) === 1;
}

/** Ends the session of a cookie that a browser no longer uses. */
export async function deleteSessionOf(db: Queryable, hash: string): Promise<void> {
  await db('account_sessions').where({ hash }).delete();
}

/** Ends all sessions of an account. @param except the id of one that goes on */
export async function deleteSessions(db: Queryable, account: string, except = ''): Promise<number> {
  return db('account_sessions').where({ account_id: account }).whereNot({ id: except }).delete();
}

/** Those that ended by themselves. */
export async function deleteOldSessions(db: Queryable, expiredAt: number, idleSince: number): Promise<void> {
  await db('account_sessions').where('expires_at', '<=', expiredAt).orWhere('seen_at', '<=', idleSince).delete();
}

function toSession(row: Record<string, never>): AccountSession {
  return {
    id: row.id!,
    account: row.account_id!,
    method: row.method ?? null,
    createdAt: row.created_at!,
    authenticatedAt: row.authenticated_at ?? row.created_at!,
    seenAt: row.seen_at!,
    expiresAt: row.expires_at!,
    address: row.address!,
    agent: row.agent!,
  };
}
