/** Login keys, certificate authorities and passwords of organizations, with their validity, addresses and permissions. */
import type { Queryable } from '../connection.js';
import { DatabaseError, isUniqueViolation } from '../error.js';
import { readAhead, runLater } from '../script.js';
import { bumpAccess } from './accessversion.js';
import { type Org, type OrgRow, readOrg } from './orgs.js';

/** key: a public key; ca: an authority, whose certificates log in; password: a generated secret. */
export type LoginKeyKind = 'key' | 'ca' | 'password';

/** upload: may send, look and rename, and read no file; read: may read as well. */
export type Permission = 'upload' | 'read';

export interface LoginKey {
  org: string;
  kind: LoginKeyKind;
  /** `SHA256:…`, as ssh-keygen prints it; `password:…` of a password. */
  fingerprint: string;
  algorithm: string;
  /** Base64 of the SSH wire format; empty for a password. */
  publicKey: string;
  label: string;
  note: string;
  /** CIDRs that it may log in from; empty: every address. */
  sources: string[];
  notBefore: number | null;
  expiresAt: number | null;
  permission: Permission;
  /** RSA alone: may sign with SHA-1, on a listener with the policy `compatible`. */
  allowsSha1: boolean;
  /** The file that it comes from, `acme/hr.pub` in the folder of keys; null: given by a command. */
  managedBy: string | null;
  /** As the audit trail names them: `web:hr@acme.example`; null: a file of the folder of keys, or a version that did not record it. */
  addedBy: string | null;
  /** Fingerprint of the key that takes over. */
  replacedBy: string | null;
  replacedAt: number | null;
  createdAt: number;
  revokedAt: number | null;
  revokedBy: 'command' | 'folder' | null;
  /** Of an authority: names, one of which its certificates must carry. */
  principals: string[] | null;
  /** Of a password: its hash. Never shown. */
  secret: string | null;
  firstUsedAt: number | null;
  lastUsedAt: number | null;
  lastUsedFrom: string | null;
  lastUsedClient: string | null;
  lastUsedAlgorithms: string | null;
}

type Required = 'org' | 'fingerprint' | 'algorithm' | 'publicKey' | 'label' | 'sources' | 'expiresAt' | 'createdAt';
type Optional =
  | 'kind'
  | 'note'
  | 'notBefore'
  | 'permission'
  | 'allowsSha1'
  | 'managedBy'
  | 'addedBy'
  | 'principals'
  | 'secret';
export type NewLoginKey = Pick<LoginKey, Required> & Partial<Pick<LoginKey, Optional>>;

/** The columns of an existing key that may change. */
export type LoginKeyChange = Partial<
  Pick<
    LoginKey,
    | 'label'
    | 'note'
    | 'sources'
    | 'notBefore'
    | 'expiresAt'
    | 'permission'
    | 'allowsSha1'
    | 'principals'
    | 'managedBy'
    | 'replacedBy'
    | 'replacedAt'
  >
>;

interface LoginKeyRow {
  id: number;
  org_id: string;
  kind: LoginKeyKind;
  fingerprint: string;
  algorithm: string;
  public_key: string;
  label: string;
  note: string;
  sources: string;
  not_before: number | null;
  expires_at: number | null;
  permission: Permission;
  allow_sha1: number;
  managed_by: string | null;
  added_by: string | null;
  replaced_by: string | null;
  replaced_at: number | null;
  created_at: number;
  revoked_at: number | null;
  revoked_by: 'command' | 'folder' | null;
  principals: string | null;
  secret: string | null;
  first_used_at: number | null;
  last_used_at: number | null;
  last_used_from: string | null;
  last_used_client: string | null;
  last_used_algorithms: string | null;
}

/**
 * Adds a key. One that was revoked takes the place of its old row, so that a mistaken revocation can be undone.
 * @throws DatabaseError `duplicate` when the organization has the key already.
 */
export async function insertLoginKey(db: Queryable, key: NewLoginKey): Promise<void> {
  try {
    await db.transaction(async (tx) => {
      await tx<LoginKeyRow>('login_keys')
        .where({ org_id: key.org, fingerprint: key.fingerprint })
        .whereNotNull('revoked_at')
        .delete();
      await tx('login_keys').insert(toRow(key));
      await bumpAccess(tx);
    });
  } catch (cause) {
    if (isUniqueViolation(cause))
      throw new DatabaseError('duplicate', `organization ${key.org} has the key ${key.fingerprint} already`, { cause });
    throw cause;
  }
}

/** Every key of an organization, or of some, revoked ones too, oldest first. */
export async function listLoginKeys(db: Queryable, org: string | readonly string[]): Promise<LoginKey[]> {
  return (await db<LoginKeyRow>('login_keys').whereIn('org_id', [org].flat()).orderBy('id')).map(fromRow);
}

/** The keys of every organization that come from files, revoked ones too. */
export async function listManagedKeys(db: Queryable): Promise<LoginKey[]> {
  return (await db<LoginKeyRow>('login_keys').whereNotNull('managed_by').orderBy('id')).map(fromRow);
}

/** null: the organization has no such key. A revoked or expired one is found: the caller judges. */
export async function findLoginKey(db: Queryable, org: string, fingerprint: string): Promise<LoginKey | null> {
  const row = await db<LoginKeyRow>('login_keys').where({ org_id: org, fingerprint }).first();
  return row === undefined ? null : fromRow(row);
}

/** As findLoginKey for several: each stays as it is until the transaction ends. In the order in which they were added. */
export async function lockLoginKeys(tx: Queryable, org: string, fingerprints: readonly string[]): Promise<LoginKey[]> {
  const rows = tx<LoginKeyRow>('login_keys').where({ org_id: org }).whereIn('fingerprint', fingerprints);
  return (await rows.orderBy('id').forUpdate()).map(fromRow);
}

/** An organization and one of its keys, as one query, with the version of access at which they are so; each is null where it is not there. */
export async function findOrgAndKey(
  db: Queryable,
  org: string,
  fingerprint: string,
): Promise<{ org: Org | null; key: LoginKey | null; access: number }> {
  const [row] = await readAhead<Record<string, unknown>>(db, orgAndKeyQuery, [org, org, fingerprint]);
  const keyRow = Object.fromEntries(keyColumns.map((column) => [column, row![`key_${column}`]]));
  return {
    org: row!.id === null ? null : readOrg(row as unknown as OrgRow),
    key: keyRow.id === null ? null : fromRow(keyRow as unknown as LoginKeyRow),
    access: row!.access as number,
  };
}

/** All of them: a term of a key that is left out here would not hold at a login. */
const keyColumns = Object.keys({
  ...{ id: 0, org_id: 0, kind: 0, fingerprint: 0, algorithm: 0, public_key: 0, label: 0, note: 0, sources: 0 },
  ...{ not_before: 0, expires_at: 0, permission: 0, allow_sha1: 0, managed_by: 0, added_by: 0 },
  ...{ replaced_by: 0, replaced_at: 0, created_at: 0, revoked_at: 0, revoked_by: 0, principals: 0, secret: 0 },
  ...{ first_used_at: 0, last_used_at: 0, last_used_from: 0, last_used_client: 0, last_used_algorithms: 0 },
} satisfies Record<keyof LoginKeyRow, 0>);

const orgAndKeyQuery = `SELECT orgs.*, ${keyColumns.map((column) => `login_keys.${column} AS key_${column}`).join(', ')},
  (SELECT version FROM access_version WHERE id = 1) AS access
  FROM (SELECT 1 AS one) AS always LEFT JOIN orgs ON orgs.id = ?
  LEFT JOIN login_keys ON login_keys.org_id = ? AND login_keys.fingerprint = ?`;

/** SQLite takes 32,766 values in one statement. */
const mostValues = 10_000;

/** As findLoginKey for many at once; a fingerprint that several of the organizations have comes for each of them. */
export async function findLoginKeys(
  db: Queryable,
  orgs: readonly string[],
  fingerprints: readonly string[],
): Promise<LoginKey[]> {
  const found: LoginKey[] = [];
  for (let at = 0; at < fingerprints.length; at += mostValues) {
    const some = fingerprints.slice(at, at + mostValues);
    const rows = await db<LoginKeyRow>('login_keys').whereIn('fingerprint', some).whereIn('org_id', orgs);
    found.push(...rows.map(fromRow));
  }
  return found;
}

/** Other organizations in which these keys are not revoked. */
export async function listKeyUsers(
  db: Queryable,
  fingerprints: readonly string[],
  except: string,
): Promise<{ org: string; fingerprint: string }[]> {
  const rows = await db<LoginKeyRow>('login_keys')
    .whereIn('fingerprint', fingerprints)
    .whereNot({ org_id: except })
    .whereNull('revoked_at')
    .orderBy('org_id')
    .select('org_id', 'fingerprint');
  return rows.map((row) => ({ org: row.org_id, fingerprint: row.fingerprint }));
}

/** Whether any organization has a password that may log in at `at`, without revealing which. */
export async function hasPasswords(db: Queryable, at: number): Promise<boolean> {
  const [row] = await readAhead<{ has: boolean | number }>(db, passwordQuery, [at]);
  return Boolean(row!.has);
}

const passwordQuery = `SELECT EXISTS (SELECT 1 FROM login_keys WHERE kind = 'password' AND revoked_at IS NULL
  AND (expires_at IS NULL OR expires_at > ?)) AS has`;

/** Whether there was such a key. */
export async function updateLoginKey(
  db: Queryable,
  org: string,
  fingerprint: string,
  change: LoginKeyChange,
): Promise<boolean> {
  const changed = await db<LoginKeyRow>('login_keys').where({ org_id: org, fingerprint }).update(toRow(change));
  await bumpAccess(db);
  return changed > 0;
}

/** Whether there was such a key, not yet revoked. */
export async function revokeLoginKey(
  db: Queryable,
  org: string,
  fingerprint: string,
  at: number,
  by: 'command' | 'folder' = 'command',
): Promise<boolean> {
  const revoked = await db<LoginKeyRow>('login_keys')
    .where({ org_id: org, fingerprint })
    .whereNull('revoked_at')
    .update({ revoked_at: at, revoked_by: by });
  await bumpAccess(db);
  return revoked > 0;
}

export interface LoginKeyUse {
  at: number;
  address: string | null;
  /** The client program's identification. */
  client: string | null;
  /** The algorithms that the connection agreed on, as in the log. */
  algorithms?: string | null;
}

/** Notes that a key has logged in; in a transaction on SQLite with its next query, or its COMMIT. */
export async function touchLoginKey(
  db: Queryable,
  org: string,
  fingerprint: string,
  { at, address, client, algorithms }: LoginKeyUse,
): Promise<void> {
  await runLater(db, noteUse, { org, fingerprint, at, address, client, algorithms: algorithms ?? null });
}

const noteUse = `UPDATE login_keys SET first_used_at = COALESCE(first_used_at, :at), last_used_at = :at, last_used_from = :address,
  last_used_client = :client, last_used_algorithms = :algorithms WHERE org_id = :org AND fingerprint = :fingerprint`;

function toRow(key: Partial<LoginKey>): Partial<LoginKeyRow> {
  const row = {
    org_id: key.org,
    kind: key.kind,
    fingerprint: key.fingerprint,
    algorithm: key.algorithm,
    public_key: key.publicKey,
    label: key.label,
    note: key.note,
    sources: key.sources === undefined ? undefined : JSON.stringify(key.sources),
    not_before: key.notBefore,
    expires_at: key.expiresAt,
    permission: key.permission,
    allow_sha1: key.allowsSha1 === undefined ? undefined : Number(key.allowsSha1),
    managed_by: key.managedBy,
    added_by: key.addedBy,
    replaced_by: key.replacedBy,
    replaced_at: key.replacedAt,
    created_at: key.createdAt,
    principals: key.principals == null ? key.principals : JSON.stringify(key.principals),
    secret: key.secret,
  };
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined));
}

function fromRow(row: LoginKeyRow): LoginKey {
  return {
    org: row.org_id,
    kind: row.kind,
    fingerprint: row.fingerprint,
    algorithm: row.algorithm,
    publicKey: row.public_key,
    label: row.label,
    note: row.note,
    sources: JSON.parse(row.sources),
    notBefore: row.not_before,
    expiresAt: row.expires_at,
    permission: row.permission,
    allowsSha1: row.allow_sha1 === 1,
    managedBy: row.managed_by,
    addedBy: row.added_by,
    replacedBy: row.replaced_by,
    replacedAt: row.replaced_at,
    createdAt: row.created_at,
    revokedAt: row.revoked_at,
    revokedBy: row.revoked_by,
    principals: row.principals === null ? null : JSON.parse(row.principals),
    secret: row.secret,
    firstUsedAt: row.first_used_at,
    lastUsedAt: row.last_used_at,
    lastUsedFrom: row.last_used_from,
    lastUsedClient: row.last_used_client,
    lastUsedAlgorithms: row.last_used_algorithms,
  };
}
