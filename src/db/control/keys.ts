/** Login keys: which public keys may log in as which organization, until when, from where. */
import type { Queryable } from '../connection.js';
import { DatabaseError, isUniqueViolation } from '../error.js';

export interface LoginKey {
  org: string;
  /** `SHA256:…`, as ssh-keygen prints it. */
  fingerprint: string;
  algorithm: string;
  /** Base64 of the SSH wire format. */
  publicKey: string;
  label: string;
  /** CIDRs that it may log in from; empty: every address. */
  sources: string[];
  expiresAt: number | null;
  createdAt: number;
  revokedAt: number | null;
  firstUsedAt: number | null;
  lastUsedAt: number | null;
  lastUsedFrom: string | null;
  lastUsedClient: string | null;
}

export type NewLoginKey = Pick<
  LoginKey,
  'org' | 'fingerprint' | 'algorithm' | 'publicKey' | 'label' | 'sources' | 'expiresAt' | 'createdAt'
>;

interface LoginKeyRow {
  id: number;
  org_id: string;
  fingerprint: string;
  algorithm: string;
  public_key: string;
  label: string;
  sources: string;
  expires_at: number | null;
  created_at: number;
  revoked_at: number | null;
  first_used_at: number | null;
  last_used_at: number | null;
  last_used_from: string | null;
  last_used_client: string | null;
}

/**
 * Adds a key. One that was revoked takes the place of its old row, so that a mistaken revocation can be mended.
 * @throws DatabaseError `duplicate` when the organization has the key already.
 */
export async function insertLoginKey(db: Queryable, key: NewLoginKey): Promise<void> {
  try {
    await db.transaction(async (tx) => {
      await tx<LoginKeyRow>('login_keys')
        .where({ org_id: key.org, fingerprint: key.fingerprint })
        .whereNotNull('revoked_at')
        .delete();
      await tx('login_keys').insert({
        org_id: key.org,
        fingerprint: key.fingerprint,
        algorithm: key.algorithm,
        public_key: key.publicKey,
        label: key.label,
        sources: JSON.stringify(key.sources),
        expires_at: key.expiresAt,
        created_at: key.createdAt,
      });
    });
  } catch (cause) {
    if (isUniqueViolation(cause))
      throw new DatabaseError('duplicate', `organization ${key.org} has the key ${key.fingerprint} already`, { cause });
    throw cause;
  }
}

/** Every key of an organization, revoked ones too, oldest first. */
export async function listLoginKeys(db: Queryable, org: string): Promise<LoginKey[]> {
  return (await db<LoginKeyRow>('login_keys').where({ org_id: org }).orderBy('id')).map(fromRow);
}

/** null: the organization has no such key. A revoked or expired one is found: the caller judges. */
export async function findLoginKey(db: Queryable, org: string, fingerprint: string): Promise<LoginKey | null> {
  const row = await db<LoginKeyRow>('login_keys').where({ org_id: org, fingerprint }).first();
  return row === undefined ? null : fromRow(row);
}

/** Whether there was such a key, not yet revoked. */
export async function revokeLoginKey(db: Queryable, org: string, fingerprint: string, at: number): Promise<boolean> {
  const revoked = await db<LoginKeyRow>('login_keys')
    .where({ org_id: org, fingerprint })
    .whereNull('revoked_at')
    .update({ revoked_at: at });
  return revoked > 0;
}

export interface LoginKeyUse {
  at: number;
  address: string | null;
  /** The client program's identification. */
  client: string | null;
}

/** Notes that a key has logged in. */
export async function touchLoginKey(
  db: Queryable,
  org: string,
  fingerprint: string,
  { at, address, client }: LoginKeyUse,
): Promise<void> {
  await db<LoginKeyRow>('login_keys')
    .where({ org_id: org, fingerprint })
    .update({
      first_used_at: db.raw('COALESCE(first_used_at, ?)', [at]),
      last_used_at: at,
      last_used_from: address,
      last_used_client: client,
    });
}

function fromRow(row: LoginKeyRow): LoginKey {
  return {
    org: row.org_id,
    fingerprint: row.fingerprint,
    algorithm: row.algorithm,
    publicKey: row.public_key,
    label: row.label,
    sources: JSON.parse(row.sources),
    expiresAt: row.expires_at,
    createdAt: row.created_at,
    revokedAt: row.revoked_at,
    firstUsedAt: row.first_used_at,
    lastUsedAt: row.last_used_at,
    lastUsedFrom: row.last_used_from,
    lastUsedClient: row.last_used_client,
  };
}
