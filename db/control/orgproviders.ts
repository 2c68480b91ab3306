/** Identity providers at which the people of an organization sign in; an organization has one at most. */
import type { Queryable } from '../connection.js';
import type { Role } from './accounts.js';

export interface OrgProvider {
  org: string;
  /** Random: the addresses of its sign-in have it. */
  key: string;
  issuer: string;
  clientId: string;
  /** Sealed to the master key; null: a public client. */
  secret: string | null;
  options: OrgProviderOptions;
  createdBy: string;
  createdAt: number;
}

export interface OrgProviderOptions {
  label: string;
  scopes: string;
  emailClaim: string;
  verifiedClaim: string;
  /** Of addresses; empty: all. */
  domains: string[];
  /** Of people who sign in without an account; null: they are refused. */
  newAccounts: Role | null;
  passwordSignIn: boolean;
  allowHttp: boolean;
  allowPrivate: boolean;
}

/** In place of an earlier one of the organization. */
export async function putOrgProvider(db: Queryable, provider: OrgProvider): Promise<void> {
  const { org, key, issuer, clientId, secret, options, createdBy, createdAt } = provider;
  await db('org_providers')
    .insert({
      ...{ org_id: org, key, issuer, client_id: clientId, secret, options: JSON.stringify(options) },
      ...{ created_by: createdBy, created_at: createdAt },
    })
    .onConflict('org_id')
    .merge();
}

/** null: there is none. */
export async function findOrgProvider(
  db: Queryable,
  where: { org: string } | { key: string },
): Promise<OrgProvider | null> {
  const row = await db('org_providers')
    .where('org' in where ? { org_id: where.org } : { key: where.key })
    .first();
  return row === undefined ? null : toProvider(row);
}

/** As findOrgProvider, and no other transaction changes it before this one ends. */
export async function lockOrgProvider(tx: Queryable, org: string): Promise<OrgProvider | null> {
  const row = await tx('org_providers').where({ org_id: org }).forUpdate().first();
  return row === undefined ? null : toProvider(row);
}

export async function listOrgProviders(db: Queryable): Promise<OrgProvider[]> {
  return (await db('org_providers').orderBy('org_id')).map(toProvider);
}

/** false: it has none. */
export async function deleteOrgProvider(db: Queryable, org: string): Promise<boolean> {
  return (await db('org_providers').where({ org_id: org }).delete()) === 1;
}

/** Unless it was changed meanwhile. */
export async function replaceProviderSecret(db: Queryable, org: string, before: string, after: string): Promise<void> {
  await db('org_providers').where({ org_id: org, secret: before }).update({ secret: after });
}

function toProvider(row: Record<string, never>): OrgProvider {
  return {
    org: row.org_id!,
    key: row.key!,
    issuer: row.issuer!,
    clientId: row.client_id!,
    secret: row.secret!,
    options: JSON.parse(row.options!),
    createdBy: row.created_by!,
    createdAt: row.created_at!,
  };
}
