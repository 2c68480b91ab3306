/** Access tokens of the HTTP API: who may use it, for which organization, and how far. */
import type { Queryable } from '../connection.js';

export const tokenScopes = ['read', 'operate', 'admin', 'owner', 'audit', 'upload', 'scim'] as const;
export type TokenScope = (typeof tokenScopes)[number];

/** Without its hash, which no surface shows. */
export interface Token {
  /** `tok_…`: names it in lists and in the audit trail; it is no secret. */
  id: string;
  name: string;
  /** null: all organizations. */
  org: string | null;
  scope: TokenScope;
  createdBy: string;
  createdAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
  /** To the minute. */
  lastUsedAt: number | null;
  lastUsedFrom: string | null;
}

export type NewToken = Omit<Token, 'revokedAt' | 'lastUsedAt' | 'lastUsedFrom'> & { hash: string };

export async function insertToken(db: Queryable, token: NewToken): Promise<void> {
  const { id, hash, name, org, scope, createdBy, createdAt, expiresAt } = token;
  await db('api_tokens').insert({
    ...{ id, hash, name, org_id: org, scope },
    ...{ created_by: createdBy, created_at: createdAt, expires_at: expiresAt },
  });
}

/** Oldest first. @param org of which they are; undefined: of all and of the server */
export async function listTokens(db: Queryable, org?: string): Promise<Token[]> {
  const tokens = db('api_tokens').orderBy(['created_at', 'id']);
  if (org !== undefined) tokens.where({ org_id: org });
  return (await tokens).map(fromRow);
}

/** @param org of which they are; undefined: of all and of the server. @param usableAt counts only those that can be used then (ms) */
export async function countTokens(
  db: Queryable,
  { org, usableAt }: { org?: string; usableAt?: number },
): Promise<number> {
  const tokens = db('api_tokens');
  if (org !== undefined) tokens.where({ org_id: org });
  if (usableAt !== undefined)
    tokens
      .whereNull('revoked_at')
      .where((either) => either.whereNull('expires_at').orWhere('expires_at', '>', usableAt));
  const row = await tokens.count({ count: '*' }).first();
  return Number(row?.count ?? 0);
}

/** null: no such token. */
export async function findToken(db: Queryable, id: string): Promise<Token | null> {
  const row = await db('api_tokens').where({ id }).first();
  return row === undefined ? null : fromRow(row);
}

/** As findToken; it is revoked before this, or after the transaction ends. null: no such token. */
export async function lockToken(tx: Queryable, id: string): Promise<Token | null> {
  const row = await tx('api_tokens').where({ id }).forUpdate().first();
  return row === undefined ? null : fromRow(row);
}

/** The token with this hash, revoked or expired ones too, and the stored hash; null: there is none. */
export async function findTokenByHash(db: Queryable, hash: string): Promise<(Token & { hash: string }) | null> {
  const row = await db('api_tokens').where({ hash }).first();
  return row === undefined ? null : { ...fromRow(row), hash: row.hash };
}

/** false: it was revoked before. */
export async function revokeToken(db: Queryable, id: string, at: number): Promise<boolean> {
  return (await db('api_tokens').where({ id }).whereNull('revoked_at').update({ revoked_at: at })) === 1;
}

export async function noteTokenUse(db: Queryable, id: string, at: number, from: string | null): Promise<void> {
  await db('api_tokens').where({ id }).update({ last_used_at: at, last_used_from: from });
}

function fromRow(row: Record<string, never>): Token {
  return {
    id: row.id!,
    name: row.name!,
    org: row.org_id!,
    scope: row.scope!,
    createdBy: row.created_by!,
    createdAt: row.created_at!,
    expiresAt: row.expires_at!,
    revokedAt: row.revoked_at!,
    lastUsedAt: row.last_used_at!,
    lastUsedFrom: row.last_used_from!,
  };
}
