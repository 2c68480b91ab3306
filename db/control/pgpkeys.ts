/** OpenPGP keys: an organization's own, whose private keys are sealed to its identity, and those of its customer's programs. */
import type { Queryable } from '../connection.js';

export type PgpKind = 'own' | 'customer';

export interface PgpKeyRow {
  id: number;
  org: string;
  kind: PgpKind;
  /** Capital hexadecimal digits. */
  fingerprint: string;
  /** Of the key and its subkeys, capital hexadecimal digits. */
  keyIds: string[];
  algorithm: string;
  userId: string;
  /** In armor. */
  publicKey: string;
  /** null of a customer's key. */
  sealedPrivateKey: string | null;
  sealedTo: string | null;
  /** Milliseconds since 1970. */
  createdAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
}

interface Row {
  id: number;
  org_id: string;
  kind: PgpKind;
  fingerprint: string;
  key_ids: string;
  algorithm: string;
  user_id: string;
  public_key: string;
  sealed_private_key: string | null;
  sealed_to: string | null;
  created_at: number;
  expires_at: number | null;
  revoked_at: number | null;
}

/** Whether it is new; a known key gets the new text of its public key and its new expiry. */
export async function savePgpKey(tx: Queryable, key: Omit<PgpKeyRow, 'id'>): Promise<boolean> {
  const place = { org_id: key.org, kind: key.kind, fingerprint: key.fingerprint };
  const known = await tx('pgp_keys').where(place).first('id');
  const row: Omit<Row, 'id'> = {
    ...place,
    key_ids: JSON.stringify(key.keyIds),
    algorithm: key.algorithm,
    user_id: key.userId,
    public_key: key.publicKey,
    sealed_private_key: key.sealedPrivateKey,
    sealed_to: key.sealedTo,
    created_at: key.createdAt,
    expires_at: key.expiresAt,
    revoked_at: key.revokedAt,
  };
  if (known === undefined) await tx('pgp_keys').insert(row);
  else await tx('pgp_keys').where({ id: known.id }).update(row);
  return known === undefined;
}

/** Of an organization, or of some; the newest first. */
export async function listPgpKeys(
  db: Queryable,
  org: string | readonly string[],
  kind?: PgpKind,
): Promise<PgpKeyRow[]> {
  const rows: Row[] = await db('pgp_keys')
    .whereIn('org_id', [org].flat())
    .where({ ...(kind !== undefined && { kind }) })
    .orderBy('id', 'desc');
  return rows.map((row) => ({
    id: Number(row.id),
    org: row.org_id,
    kind: row.kind,
    fingerprint: row.fingerprint,
    keyIds: JSON.parse(row.key_ids) as string[],
    algorithm: row.algorithm,
    userId: row.user_id,
    publicKey: row.public_key,
    sealedPrivateKey: row.sealed_private_key,
    sealedTo: row.sealed_to,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  }));
}

/** No file is opened by a key that is not active, and no signature by it counts. */
export function statePgpKey(
  key: Pick<PgpKeyRow, 'expiresAt' | 'revokedAt'>,
  now: number,
): 'active' | 'expired' | 'revoked' {
  if (key.revokedAt !== null) return 'revoked';
  return key.expiresAt !== null && key.expiresAt <= now ? 'expired' : 'active';
}

export async function changePgpKey(
  tx: Queryable,
  id: number,
  change: Partial<Pick<PgpKeyRow, 'expiresAt' | 'revokedAt' | 'sealedPrivateKey' | 'sealedTo'>>,
): Promise<void> {
  await tx('pgp_keys')
    .where({ id })
    .update({
      ...(change.expiresAt !== undefined && { expires_at: change.expiresAt }),
      ...(change.revokedAt !== undefined && { revoked_at: change.revokedAt }),
      ...(change.sealedPrivateKey !== undefined && { sealed_private_key: change.sealedPrivateKey }),
      ...(change.sealedTo !== undefined && { sealed_to: change.sealedTo }),
    });
}

/** With the identity of its organization a private key ends too. Returns their number. */
export async function dropOwnPgpKeys(tx: Queryable, org: string): Promise<number> {
  return tx('pgp_keys').where({ org_id: org, kind: 'own' }).delete();
}

/** The own keys that are sealed to another identity than this one. */
export async function listPgpKeysToReseal(db: Queryable, org: string, sealedTo: string): Promise<PgpKeyRow[]> {
  const own = await listPgpKeys(db, org, 'own');
  return own.filter((key) => key.sealedTo !== sealedTo);
}

/** The newest active key of each organization, which it publishes, by organization: its fingerprint. */
export async function listPublishedPgpKeys(db: Queryable, now: number): Promise<Map<string, string>> {
  const rows: Pick<Row, 'org_id' | 'fingerprint'>[] = await db('pgp_keys')
    .where({ kind: 'own', revoked_at: null })
    .where((where) => where.whereNull('expires_at').orWhere('expires_at', '>', now))
    .orderBy('id')
    .select('org_id', 'fingerprint');
  return new Map(rows.map(({ org_id, fingerprint }) => [org_id, fingerprint]));
}
