/** Reads users and teams as SCIM shows them: pages by address or name, with the ids of managers, teams and members. */
import type { Knex } from 'knex';
import type { Queryable } from '../connection.js';
import { dialectOf } from '../dialect.js';
import { customValue } from './fields.js';

export interface ScimUserRow {
  id: number;
  email: string;
  emailKey: string;
  userName: string | null;
  firstName: string | null;
  lastName: string | null;
  accountType: string;
  isAdmin: boolean;
  isActive: boolean;
  manager: { id: number; email: string; name: string | null } | null;
  /** Values of custom fields by the field's id. */
  custom: Record<string, string>;
  createdAt: number;
  updatedAt: number;
}

/** Conditions that the database can decide; absent ones do not count. */
export interface ScimUserFilter {
  id?: number | undefined;
  emailKey?: string | undefined;
  isActive?: boolean | undefined;
  /** ms */
  updatedSince?: number | undefined;
  /** ms; only those that changed later. */
  updatedAfter?: number | undefined;
  /** Only members of this team. */
  team?: number | undefined;
  /** Only those whose texts may have these pieces: the database leaves out most of the others. */
  pieces?: readonly TextPiece[];
}

export interface TextPiece {
  of: 'email' | 'name' | 'firstName' | 'lastName' | { field: string };
  /** In ASCII. */
  piece: string;
}

export interface ScimPage {
  /** The compared address or name of the last row before the page; null: the first page. */
  after: string | null;
  /** Rows that are left out, after `after`. */
  skip?: number;
  limit: number;
}

/** In the order of their compared addresses. */
export async function listScimUsers(
  db: Queryable,
  org: string,
  filter: ScimUserFilter,
  { after, skip = 0, limit }: ScimPage,
): Promise<ScimUserRow[]> {
  // Rows are left out by their index alone: neither they nor their managers are read.
  const keys = narrow(db, db('users'), org, filter).orderBy('users.email_key').limit(limit).offset(skip);
  if (after !== null) keys.where('users.email_key', '>', after);
  const query = db('users')
    .leftJoin('users as managers', 'managers.id', 'users.manager_id')
    .where('users.org_id', org)
    .whereIn('users.email_key', keys.select('users.email_key'))
    .orderBy('users.email_key')
    .select(
      'users.*',
      'managers.email as manager_email',
      'managers.user_name as manager_user_name',
      'managers.first_name as manager_first_name',
      'managers.last_name as manager_last_name',
    );
  return (await query).map(fromRow);
}

export async function countScimUsers(db: Queryable, org: string, filter: ScimUserFilter): Promise<number> {
  const row = await narrow(db, db('users'), org, filter).count({ count: '*' }).first();
  return Number(row?.count ?? 0);
}

function narrow<Q extends Knex.QueryBuilder>(db: Queryable, query: Q, org: string, filter: ScimUserFilter): Q {
  const { id, emailKey, isActive, updatedSince, updatedAfter, team, pieces = [] } = filter;
  query.where('users.org_id', org);
  for (const { of, piece } of pieces) {
    const text = typeof of === 'object' ? customValue(db, of.field) : textOf[of];
    query.whereRaw(mayContain(db, text), [`%${piece.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`]);
  }
  if (id !== undefined) query.where('users.id', id);
  if (emailKey !== undefined) query.where('users.email_key', emailKey);
  if (isActive !== undefined) query.where('users.status', isActive ? 'active' : 'deactivated');
  if (updatedSince !== undefined) query.where('users.updated_at', '>=', updatedSince);
  if (updatedAfter !== undefined) query.where('users.updated_at', '>', updatedAfter);
  if (team !== undefined)
    query.whereRaw('users.id IN (SELECT m.user_id FROM memberships m WHERE m.team_id = ?)', [team]);
  return query;
}

const textOf = {
  email: 'users.email',
  // As nameOf.
  name: "COALESCE(users.user_name, COALESCE(users.first_name, '') || ' ' || COALESCE(users.last_name, ''))",
  firstName: 'users.first_name',
  lastName: 'users.last_name',
} as const;

/**
 * Letters beyond ASCII fold in other ways in each database than in a program (the Kelvin sign is a small k there): texts that have any
 * are never left out.
 */
function mayContain(db: Queryable, text: string): string {
  return dialectOf(db) === 'postgres'
    ? `(lower((${text}) COLLATE "C") LIKE ? ESCAPE '\\' OR octet_length(${text}) <> length(${text}))`
    : `((${text}) LIKE ? ESCAPE '\\' OR length(CAST(${text} AS BLOB)) <> length(${text}))`;
}

export interface ScimMembership {
  userId: number;
  teamId: number;
  name: string;
}

/** The teams of some users, in the order of their names; at most `limit` in all. */
export async function listTeamsOf(db: Queryable, userIds: readonly number[], limit: number): Promise<ScimMembership[]> {
  const rows: { user_id: number; team_id: number; name: string }[] = await db('memberships')
    .join('teams', 'teams.id', 'memberships.team_id')
    .whereIn('memberships.user_id', [...userIds])
    .orderBy('teams.name_key')
    .limit(limit)
    .select('memberships.user_id', 'memberships.team_id', 'teams.name');
  return rows.map(({ user_id, team_id, name }) => ({ userId: user_id, teamId: team_id, name }));
}

export interface ScimTeamRow {
  id: number;
  name: string;
  nameKey: string;
  createdAt: number;
  updatedAt: number;
}

export interface ScimTeamFilter {
  id?: number | undefined;
  nameKey?: string | undefined;
  updatedSince?: number | undefined;
  /** ms; only those that changed later. */
  updatedAfter?: number | undefined;
  /** Only teams of this user. */
  member?: number | undefined;
}

/** In the order of their compared names. */
export async function listScimTeams(
  db: Queryable,
  org: string,
  filter: ScimTeamFilter,
  { after, skip = 0, limit }: ScimPage,
): Promise<ScimTeamRow[]> {
  const query = narrowTeams(db('teams'), org, filter).orderBy('name_key').limit(limit).offset(skip);
  if (after !== null) query.where('name_key', '>', after);
  const rows: { id: number; name: string; name_key: string; created_at: number; updated_at: number }[] =
    await query.select('id', 'name', 'name_key', 'created_at', 'updated_at');
  return rows.map(({ id, name, name_key, created_at, updated_at }) => {
    return { id, name, nameKey: name_key, createdAt: created_at, updatedAt: updated_at };
  });
}

export async function countScimTeams(db: Queryable, org: string, filter: ScimTeamFilter): Promise<number> {
  const row = await narrowTeams(db('teams'), org, filter).count({ count: '*' }).first();
  return Number(row?.count ?? 0);
}

function narrowTeams<Q extends Knex.QueryBuilder>(query: Q, org: string, filter: ScimTeamFilter): Q {
  const { id, nameKey, updatedSince, updatedAfter, member } = filter;
  query.where('teams.org_id', org);
  if (id !== undefined) query.where('teams.id', id);
  if (nameKey !== undefined) query.where('teams.name_key', nameKey);
  if (updatedSince !== undefined) query.where('teams.updated_at', '>=', updatedSince);
  if (updatedAfter !== undefined) query.where('teams.updated_at', '>', updatedAfter);
  if (member !== undefined)
    query.whereRaw('teams.id IN (SELECT m.team_id FROM memberships m WHERE m.user_id = ?)', [member]);
  return query;
}

export interface ScimMember {
  teamId: number;
  userId: number;
  email: string;
  name: string | null;
}

/** The members of some teams, in the order of their addresses; at most `limit` in all. */
export async function listMembersOf(db: Queryable, teamIds: readonly number[], limit: number): Promise<ScimMember[]> {
  const rows = await db('memberships')
    .join('users', 'users.id', 'memberships.user_id')
    .whereIn('memberships.team_id', [...teamIds])
    .orderBy('users.email_key')
    .limit(limit)
    .select('memberships.team_id', 'users.id', 'users.email', 'users.user_name', 'users.first_name', 'users.last_name');
  return rows.map((row: Record<string, never>) => ({
    teamId: row.team_id!,
    userId: row.id!,
    email: row.email!,
    name: nameOf(row.user_name!, row.first_name!, row.last_name!),
  }));
}

/** As lists show it (rule U5); null: no name is known. */
export function nameOf(userName: string | null, firstName: string | null, lastName: string | null): string | null {
  if (userName !== null) return userName;
  const parts = [firstName, lastName].filter((part) => part !== null);
  return parts.length === 0 ? null : parts.join(' ');
}

function fromRow(row: Record<string, never>): ScimUserRow {
  const manager =
    row.manager_email == null
      ? null
      : {
          id: row.manager_id!,
          email: row.manager_email,
          name: nameOf(row.manager_user_name!, row.manager_first_name!, row.manager_last_name!),
        };
  const custom: unknown = row.custom;
  return {
    id: row.id!,
    email: row.email!,
    emailKey: row.email_key!,
    userName: row.user_name!,
    firstName: row.first_name!,
    lastName: row.last_name!,
    accountType: row.account_type!,
    isAdmin: row.is_admin === 1,
    isActive: row.status === 'active',
    manager,
    custom: typeof custom === 'string' ? JSON.parse(custom) : ((custom ?? {}) as Record<string, string>),
    createdAt: row.created_at!,
    updatedAt: row.updated_at!,
  };
}
