/** Passkeys of the people of the web console: of each the public key alone. */
import type { Queryable } from '../connection.js';

export interface Passkey {
  /** `psk_…` */
  id: string;
  account: string;
  /** The id that the authenticator gave it, base64url. */
  credential: string;
  /** COSE, base64url. */
  publicKey: string;
  /** Of signatures; 0 where the authenticator does not count. */
  counter: number;
  name: string;
  createdAt: number;
  usedAt: number | null;
}

export async function insertPasskey(db: Queryable, passkey: Omit<Passkey, 'usedAt'>): Promise<void> {
  const { id, account, credential, publicKey, counter, name, createdAt } = passkey;
  await db('account_passkeys').insert({
    ...{ id, account_id: account, credential, public_key: publicKey, counter, name, created_at: createdAt },
  });
}

/** In the order in which they were added. */
export async function listPasskeys(db: Queryable, account: string): Promise<Passkey[]> {
  return (await db('account_passkeys').where({ account_id: account }).orderBy(['created_at', 'id'])).map(toPasskey);
}

/** null: no passkey has this id of an authenticator. */
export async function findPasskey(db: Queryable, credential: string): Promise<Passkey | null> {
  const row = await db('account_passkeys').where({ credential }).first();
  return row === undefined ? null : toPasskey(row);
}

/** Notes a use; false: the passkey was removed, or another use has counted as far meanwhile. */
export async function notePasskeyUse(db: Queryable, id: string, counter: number, at: number): Promise<boolean> {
  const earlier = db('account_passkeys')
    .where({ id })
    .where((either) => either.where('counter', '<', counter).orWhere({ counter: 0 }));
  return (await earlier.update({ counter, used_at: at })) === 1;
}

/** The one that was removed; null: the account has no such passkey. */
export async function deletePasskey(db: Queryable, account: string, id: string): Promise<Passkey | null> {
  const row = await db('account_passkeys').where({ account_id: account, id }).first();
  if (row === undefined) return null;
  return (await db('account_passkeys').where({ account_id: account, id }).delete()) === 1 ? toPasskey(row) : null;
}

export async function deletePasskeys(db: Queryable, account: string): Promise<void> {
  await db('account_passkeys').where({ account_id: account }).delete();
}

function toPasskey(row: Record<string, never>): Passkey {
  return {
    id: row.id!,
    account: row.account_id!,
    credential: row.credential!,
    publicKey: row.public_key!,
    counter: row.counter!,
    name: row.name!,
    createdAt: row.created_at!,
    usedAt: row.used_at!,
  };
}
