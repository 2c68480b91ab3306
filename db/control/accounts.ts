/** Accounts of the web console: who may sign in, in which role, and the invitations to set a password. */
import type { Queryable } from '../connection.js';

export const serverRoles = ['owner', 'operator', 'read-only', 'auditor'] as const;
export const orgRoles = ['admin', 'viewer'] as const;
export const roles = [...serverRoles, ...orgRoles] as const;
export type Role = (typeof roles)[number];

/** Without its secrets. */
export interface Account {
  /** `acc_…` */
  id: string;
  email: string;
  role: Role;
  /** null: a role of the server. */
  org: string | null;
  /** false: it was invited, and has neither set a password nor signed in at a provider yet. */
  isSet: boolean;
  /** Whether it has a password. */
  hasPassword: boolean;
  createdBy: string;
  createdAt: number;
  signedInAt: number | null;
}

export interface AccountSecrets {
  /** As keys/login/password.ts stores it; null: none is set. */
  password: string | null;
  /** Sealed to the master key. */
  totp: string | null;
  /** SHA-256 of the codes that are left, hex. */
  recovery: string[];
}

/** The name of a person at an identity provider. */
export interface Identity {
  issuer: string;
  subject: string;
}

export type NewAccount = Omit<Account, 'isSet' | 'hasPassword' | 'signedInAt'> & { emailKey: string };

export async function insertAccount(db: Queryable, account: NewAccount): Promise<void> {
  const { id, email, emailKey, role, org, createdBy, createdAt } = account;
  const of = { id, email, email_key: emailKey, role, org_id: org };
  await db('accounts').insert({ ...of, created_by: createdBy, created_at: createdAt });
}

/** In the order of their addresses. @param org only those of this organization; null: only those of the server; undefined: all */
export async function listAccounts(db: Queryable, org?: string | null): Promise<Account[]> {
  const rows = await db('accounts')
    .modify((query) => org !== undefined && query.where({ org_id: org }))
    .orderBy('email_key');
  return rows.map(toAccount);
}

/** @param org only those of this organization; undefined: all */
export async function countAccounts(db: Queryable, org?: string): Promise<number> {
  const [row] = await db('accounts')
    .modify((query) => org !== undefined && query.where({ org_id: org }))
    .count({ all: '*' });
  return Number(row!.all);
}

export type FullAccount = Account & AccountSecrets & { identity: Identity | null };

type AccountName = { id: string } | { emailKey: string };

/** null: no such account. */
export async function findAccount(db: Queryable, where: AccountName): Promise<FullAccount | null> {
  return toFull(await rowOf(db, where).first());
}

/**
 * As findAccount, and keeps the account as it is until the transaction ends: each change of its ways in, its role or its invitation
 * locks it first, so that no two of them judge by one state.
 */
export async function lockAccount(tx: Queryable, where: AccountName): Promise<FullAccount | null> {
  return toFull(await rowOf(tx, where).forUpdate().first());
}

/** As lockAccount, with all owners of the server: two of them can't remove each other. */
export async function lockAccountAndOwners(tx: Queryable, id: string): Promise<Account[]> {
  const wanted = tx('accounts').where({ id }).orWhere({ role: 'owner' });
  return (await wanted.orderBy('id').forUpdate()).map(toAccount);
}

function rowOf(db: Queryable, where: AccountName) {
  return db('accounts').where('id' in where ? { id: where.id } : { email_key: where.emailKey });
}

function toFull(row: Record<string, never> | undefined): FullAccount | null {
  if (row === undefined) return null;
  const { issuer, subject } = row;
  return {
    ...toAccount(row),
    ...{ password: row.password!, totp: row.totp!, recovery: JSON.parse(row.recovery!) },
    identity: issuer === null ? null : { issuer: issuer!, subject: subject! },
  };
}

/** The accounts of the person with this name at the provider: one, or a second one in another organization. */
export async function listAccountsOf(db: Queryable, { issuer, subject }: Identity): Promise<Account[]> {
  return (await db('accounts').where({ issuer, subject }).orderBy('id')).map(toAccount);
}

/** null: at no provider any more. */
export async function setAccountIdentity(db: Queryable, id: string, identity: Identity | null): Promise<void> {
  const { issuer, subject } = identity ?? { issuer: null, subject: null };
  await db('accounts').where({ id }).update({ issuer, subject });
}

export async function setAccountSecrets(db: Queryable, id: string, secrets: AccountSecrets): Promise<void> {
  const { password, totp, recovery } = secrets;
  await db('accounts')
    .where({ id })
    .update({ password, totp, totp_step: null, recovery: JSON.stringify(recovery) });
}

export async function setAccountPassword(db: Queryable, id: string, password: string): Promise<void> {
  await db('accounts').where({ id }).update({ password });
}

export async function setAccountRole(db: Queryable, id: string, role: Role): Promise<void> {
  await db('accounts').where({ id }).update({ role });
}

export async function noteSignIn(db: Queryable, id: string, at: number): Promise<void> {
  await db('accounts').where({ id }).update({ signed_in_at: at });
}

/**
 * Uses the code of a time step; false: it, or a later one, was used before.
 * @param latest the last step that the present time allows: a later one was noted while the clock was ahead, and must not keep the person out
 */
export async function useTotpStep(db: Queryable, id: string, step: number, latest: number): Promise<boolean> {
  const unused = db('accounts')
    .where({ id })
    .where((either) => either.whereNull('totp_step').orWhere('totp_step', '<', step).orWhere('totp_step', '>', latest));
  return (await unused.update({ totp_step: step })) === 1;
}

/** Uses up a recovery code; false: another request has used one meanwhile. */
export async function useRecoveryCode(
  db: Queryable,
  id: string,
  before: readonly string[],
  after: readonly string[],
): Promise<boolean> {
  const unchanged = db('accounts').where({ id, recovery: JSON.stringify(before) });
  return (await unchanged.update({ recovery: JSON.stringify(after) })) === 1;
}

/** Its invitation and sessions too. */
export async function deleteAccount(db: Queryable, id: string): Promise<void> {
  await db('accounts').where({ id }).delete();
}

/** Those whose second factor is sealed. */
export async function listSealedTotp(db: Queryable): Promise<{ id: string; totp: string }[]> {
  return db('accounts').whereNotNull('totp').orderBy('id').select('id', 'totp');
}

/** Unless it was changed meanwhile. */
export async function replaceSealedTotp(db: Queryable, id: string, before: string, after: string): Promise<void> {
  await db('accounts').where({ id, totp: before }).update({ totp: after });
}

export interface Invitation {
  account: string;
  createdBy: string;
  createdAt: number;
  expiresAt: number;
}

/** In place of an earlier one of the account. */
export async function putInvitation(db: Queryable, invitation: Invitation & { hash: string }): Promise<void> {
  const { account, hash, createdBy, createdAt, expiresAt } = invitation;
  await db('account_invitations')
    .insert({ account_id: account, hash, created_by: createdBy, created_at: createdAt, expires_at: expiresAt })
    .onConflict('account_id')
    .merge();
}

/** Expired ones too; null: none has this hash. */
export async function findInvitation(db: Queryable, hash: string): Promise<Invitation | null> {
  const row = await db('account_invitations').where({ hash }).first();
  return row === undefined ? null : toInvitation(row);
}

/** Expired ones too; null: the account has none. */
export async function findInvitationOf(db: Queryable, account: string): Promise<Invitation | null> {
  const row = await db('account_invitations').where({ account_id: account }).first();
  return row === undefined ? null : toInvitation(row);
}

/** Of an account that was set up in another way. */
export async function deleteInvitationOf(db: Queryable, account: string): Promise<void> {
  await db('account_invitations').where({ account_id: account }).delete();
}

/** false: it was used, or replaced, meanwhile. */
export async function deleteInvitation(db: Queryable, hash: string): Promise<boolean> {
  return (await db('account_invitations').where({ hash }).delete()) === 1;
}

function toInvitation(row: Record<string, never>): Invitation {
  const { account_id: account, created_by: createdBy, created_at: createdAt, expires_at: expiresAt } = row;
  return { account: account!, createdBy: createdBy!, createdAt: createdAt!, expiresAt: expiresAt! };
}

function toAccount(row: Record<string, never>): Account {
  return {
    id: row.id!,
    email: row.email!,
    role: row.role!,
    org: row.org_id!,
    isSet: row.password !== null || row.issuer !== null,
    hasPassword: row.password !== null,
    createdBy: row.created_by!,
    createdAt: row.created_at!,
    signedInAt: row.signed_in_at!,
  };
}
