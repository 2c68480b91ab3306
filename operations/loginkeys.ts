/** The login keys of an organization: list, add, change and revoke them. */
import type { Queryable } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import {
  insertLoginKey,
  type LoginKey,
  type LoginKeyChange,
  listKeyUsers,
  listLoginKeys,
  type NewLoginKey,
  revokeLoginKey,
  updateLoginKey,
} from '../db/control/keys.js';
import { lockOrg, type Org } from '../db/control/orgs.js';
import { type ParsedKey, type ParseOptions, parsePublicKeys } from '../keys/login/publickeys.js';
import { OperationError } from './error.js';
import { refuseWithoutYes } from './keychanges.js';
import { type KeyState, type KeyTerms, remarkKeys, stateOfKey } from './keyterms.js';
import { lockOrganization, type Workplace } from './workplace.js';

/** A login key as surfaces show it: never with the hash of a password. */
export interface LoginKeyView extends Omit<LoginKey, 'secret'> {
  state: KeyState;
}

export function viewKey({ secret: _secret, ...key }: LoginKey, now: number): LoginKeyView {
  return { ...key, state: stateOfKey(key, now) };
}

export interface KeyList {
  keys: LoginKeyView[];
  /** Sentences about replaced keys that clients still use. */
  remarks: string[];
}

/** @throws OperationError `not_found` */
export async function listKeys(workplace: Workplace, orgId: string): Promise<KeyList> {
  const org = await workplace.org(orgId);
  const now = workplace.now();
  const keys = await listLoginKeys(workplace.control.read, org.id);
  return { keys: keys.map((key) => viewKey(key, now)), remarks: remarkKeys(keys, now) };
}

/** The key whose fingerprint begins so. @throws OperationError `not_found`, `usage` when several begin so */
export async function showKey(workplace: Workplace, orgId: string, prefix: string): Promise<LoginKeyView> {
  return viewKey(await findKey(workplace, await workplace.org(orgId), prefix), workplace.now());
}

export interface AddOptions extends Pick<ParseOptions, 'publicPart'> {
  /** The keys of the file are authorities, whose certificates log in. */
  isAuthority?: boolean;
  /** The person who asked for the key; undefined: the actor. */
  addedBy?: string | undefined;
  /** Done in the same transaction before the change: the request that it carries out ends with it, or stays. */
  first?: ((tx: Queryable) => Promise<void>) | undefined;
}

export interface AddedKey extends Omit<NewLoginKey, 'secret'> {
  /** Options of its line that Dropslot ignores. */
  ignoredOptions: string[];
  /** Other organizations that this key logs in to. */
  alsoUsedBy: string[];
}

/**
 * Adds every public key of a file, all or none. `terms` override the options of the file's lines.
 * @throws KeyError on a key that can't be used; DatabaseError `duplicate`.
 */
export async function addKeys(
  workplace: Workplace,
  orgId: string,
  content: string | Buffer,
  terms: KeyTerms,
  { isAuthority = false, publicPart = false, addedBy, first }: AddOptions = {},
): Promise<AddedKey[]> {
  const org = await workplace.org(orgId);
  refuseWithoutYes(workplace, org);
  const parsed = parsePublicKeys(content, { timeZone: org.timeZone, publicPart });
  return workplace.control.transact(async (tx) => {
    await first?.(tx);
    const added: AddedKey[] = [];
    for (const key of parsed) added.push(await addKey(tx, workplace, org, key, terms, { isAuthority, addedBy }));
    return added;
  });
}

/** For the caller's transaction. */
export async function addKey(
  tx: Queryable,
  workplace: Workplace,
  org: Org,
  parsed: ParsedKey,
  terms: KeyTerms,
  { isAuthority = false, addedBy = workplace.actor }: Pick<AddOptions, 'isAuthority' | 'addedBy'> = {},
): Promise<AddedKey> {
  const { terms: line, fingerprint } = parsed;
  const kind = isAuthority || line.isAuthority ? 'ca' : 'key';
  const principals = terms.principals ?? line.principals;
  if (kind === 'key' && terms.principals !== undefined)
    throw new OperationError('usage', `${fingerprint} is not an authority: only authorities have principals`);
  requireRsa(parsed, kind, terms.allowsSha1);
  const key: NewLoginKey = {
    org: org.id,
    kind,
    fingerprint,
    algorithm: parsed.algorithm,
    publicKey: parsed.publicKey,
    label: terms.label ?? parsed.comment,
    note: terms.note ?? '',
    sources: terms.sources ?? line.sources ?? [],
    notBefore: terms.notBefore ?? null,
    expiresAt: terms.expiresAt ?? line.expiresAt,
    permission: terms.permission ?? line.permission ?? 'read',
    ...(terms.allowsSha1 !== undefined && { allowsSha1: terms.allowsSha1 }),
    ...(kind === 'ca' && { principals }),
    addedBy,
    createdAt: workplace.now(),
  };
  await insertLoginKey(tx, key);
  const { algorithm, sources, notBefore, expiresAt, permission, allowsSha1 } = key;
  const detail = { kind, algorithm, sources, notBefore, expiresAt, permission, ...(allowsSha1 && { allowsSha1 }) };
  await auditKey(tx, workplace, org.id, 'key.added', fingerprint, detail);
  const users = await listKeyUsers(tx, [fingerprint], org.id);
  return { ...key, ignoredOptions: line.ignored, alsoUsedBy: users.map((user) => user.org) };
}

/**
 * Changes the terms of the key whose fingerprint begins so.
 * @param managed allows the change of a key that a file of the key folder manages, except of terms that the file sets.
 * @param first as in AddOptions
 * @throws OperationError `not_found`; `usage`; `refused` for a managed key, and for a revoked one
 */
export async function setKey(
  workplace: Workplace,
  orgId: string,
  prefix: string,
  wanted: LoginKeyChange,
  managed = false,
  first?: AddOptions['first'],
): Promise<LoginKeyView> {
  // Without an expiry date the key's replacement is cancelled.
  const change = wanted.expiresAt === null ? { ...wanted, replacedBy: null, replacedAt: null } : wanted;
  await workplace.org(orgId);
  const key = await workplace.control.transact(async (tx) => {
    const org = await lockOrganization(tx, orgId);
    refuseWithoutYes(workplace, org);
    await first?.(tx);
    const before = await findKey(workplace, org, prefix, tx);
    requireChangeable(before, change, managed);
    await updateLoginKey(tx, orgId, before.fingerprint, change);
    const replaced = Object.fromEntries(Object.keys(change).map((name) => [name, before[name as keyof LoginKey]]));
    const detail = { before: replaced, after: { ...change } };
    await auditKey(tx, workplace, orgId, 'key.changed', before.fingerprint, detail);
    return before;
  });
  return viewKey({ ...key, ...change }, workplace.now());
}

/** @throws OperationError `usage`, `refused` */
function requireChangeable(key: LoginKey, change: LoginKeyChange, managed: boolean): void {
  requireOwn(key, managed);
  const ofFile = (['label', 'sources', 'expiresAt', 'principals'] as const).find((name) => change[name] !== undefined);
  if (key.managedBy !== null && ofFile !== undefined)
    throw new OperationError(
      'refused',
      `the file ${key.managedBy} sets ${ofFile} of ${key.fingerprint}: change it there`,
    );
  if (change.principals != null && key.kind !== 'ca')
    throw new OperationError('usage', `${key.fingerprint} is not an authority: only authorities have principals`);
  requireRsa(key, key.kind, change.allowsSha1);
  if (key.revokedAt !== null) throw new OperationError('refused', `the key ${key.fingerprint} is revoked`);
}

export interface RevokedKey extends LoginKeyView {
  /** No other key, authority or password of the organization can log in now, or later. */
  isLast: boolean;
}

/**
 * Revokes the key whose fingerprint begins so; `SHA256:` may be left out.
 * @param managed allows it also for a key that a file of the key folder manages.
 * @throws OperationError `not_found`; `usage` when several keys begin so; `refused` when it is revoked already, or managed
 */
export async function revokeKey(
  workplace: Workplace,
  orgId: string,
  prefix: string,
  managed = false,
): Promise<RevokedKey> {
  const key = await findKey(workplace, await workplace.org(orgId), prefix);
  requireOwn(key, managed);
  const at = workplace.now();
  const isLast = await workplace.control.transact(async (tx) => {
    await lockOrg(tx, orgId, true);
    if (!(await revokeLoginKey(tx, orgId, key.fingerprint, at)))
      throw new OperationError('refused', `the key ${key.fingerprint} is revoked already`);
    await auditKey(tx, workplace, orgId, 'key.revoked', key.fingerprint, { label: key.label });
    const states = (await listLoginKeys(tx, orgId)).map((one) => stateOfKey(one, at));
    return !states.some((state) => state === 'usable' || state === 'pending');
  });
  return { ...viewKey({ ...key, revokedAt: at, revokedBy: 'command' }, at), isLast };
}

/** @throws OperationError `usage` */
function requireRsa(
  { fingerprint, algorithm }: Pick<LoginKey, 'fingerprint' | 'algorithm'>,
  kind: LoginKey['kind'],
  allowsSha1: boolean | undefined,
): void {
  if (allowsSha1 === true && (algorithm !== 'ssh-rsa' || kind !== 'key'))
    throw new OperationError('usage', `${fingerprint} is not an RSA key: only RSA keys can use SHA-1`);
}

/** @throws OperationError `refused` */
export function requireOwn({ managedBy, fingerprint, revokedAt }: LoginKey, managed: boolean): void {
  if (managedBy === null || managed || revokedAt !== null) return;
  throw new OperationError(
    'refused',
    `the file ${managedBy} manages ${fingerprint}: change the file, or use --managed`,
  );
}

/** A shorter beginning is more likely a slip, an empty variable of a script, than a key. */
const leastPrefix = 4;

/**
 * The key whose fingerprint begins so; `SHA256:` may be left out.
 * @throws OperationError `not_found`; `usage` when several begin so, and for fewer than four characters
 */
export async function findKey(
  { control }: Pick<Workplace, 'control'>,
  org: Org,
  prefix: string,
  db: Queryable = control.read,
): Promise<LoginKey> {
  const wanted = /^(SHA256|password):/.test(prefix) ? prefix : `SHA256:${prefix}`;
  if (wanted.slice(wanted.indexOf(':') + 1).length < leastPrefix)
    throw new OperationError(
      'usage',
      `"${prefix}" is too short for a fingerprint: give at least ${leastPrefix} characters after SHA256:; see "dropslot keys list ${org.id}"`,
    );
  const found = (await listLoginKeys(db, org.id)).filter((key) => key.fingerprint.startsWith(wanted));
  if (found.length > 1)
    throw new OperationError('usage', `several keys of ${org.id} begin with ${wanted}: give more of it`);
  if (found[0] === undefined)
    throw new OperationError(
      'not_found',
      `no key of ${org.id} begins with ${wanted}; see "dropslot keys list ${org.id}"`,
    );
  return found[0];
}

export function auditKey(
  tx: Queryable,
  { now, actor }: Pick<Workplace, 'now' | 'actor'>,
  org: string,
  action: string,
  subject: string,
  detail: Record<string, unknown>,
): Promise<void> {
  return recordAudit(tx, { at: now(), org, actor, action, subject, detail });
}
