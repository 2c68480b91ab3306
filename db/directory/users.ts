/** Reads users: one, or pages of them by address, with the fields that exports and lists show. Creates the owner. */
import type { Knex } from 'knex';
import type { Queryable } from '../connection.js';
import { bumpVersion, lockDirectory } from './directory.js';
import { changesMark, recordDirectoryEvents } from './events.js';
import { onlyChangedSince } from './history.js';

export type UserStatus = 'active' | 'deactivated';
export type AccountType = 'Regular' | 'Observer';

export interface User {
  id: number;
  /** As first written. */
  email: string;
  emailKey: string;
  userName: string | null;
  firstName: string | null;
  lastName: string | null;
  managerEmail: string | null;
  accountType: AccountType;
  isAdmin: boolean;
  status: UserStatus;
  /** yyyy-mm-dd, as last given. */
  deactivationDate: string | null;
  /** When a scheduled deactivation takes place. */
  deactivateAt: number | null;
  deactivatedAt: number | null;
  deactivatedBy: string | null;
  /** Values of custom fields by the field's id. */
  custom: Record<string, string>;
  /** Names, in the order of their compared forms. */
  teams: string[];
  createdAt: number;
  updatedAt: number;
}

/** null: no such user. */
export async function findUser(db: Queryable, org: string, emailKey: string): Promise<User | null> {
  const row = await selectUsers(db, org).where('users.email_key', emailKey).first();
  if (row === undefined) return null;
  const teams = await teamsBetween(db, org, emailKey, emailKey, null);
  return fromRow(row, teams);
}

/** Of these compared addresses, one in each organization: those that are users, by organization. */
export async function findUserOfEach(
  db: Queryable,
  emailKeys: ReadonlyMap<string, string>,
): Promise<Map<string, Pick<User, 'status' | 'isAdmin'>>> {
  const rows: { org_id: string; status: UserStatus; is_admin: number | boolean }[] = await db('users')
    .whereIn(['org_id', 'email_key'], [...emailKeys])
    .select('org_id', 'status', 'is_admin');
  return new Map(rows.map(({ org_id, status, is_admin }) => [org_id, { status, isAdmin: Boolean(is_admin) }]));
}

/** The organizations that have a user with this compared address. */
export async function findOrgsOfUser(
  db: Queryable,
  emailKey: string,
  limit: number,
): Promise<{ org: string; email: string }[]> {
  const rows = await db('users')
    .where({ email_key: emailKey })
    .orderBy('org_id')
    .limit(limit)
    .select('org_id', 'email');
  return rows.map((row) => ({ org: row.org_id, email: row.email }));
}

export interface UserPage {
  /** Only users after this compared address; null begins. */
  after: string | null;
  limit: number;
  status?: UserStatus | undefined;
  /** Only users whose address or one of whose names contains this text, in any case. */
  search?: string | undefined;
  /** Only users of whom a change was recorded at this time (ms) or later. */
  changedSince?: number | undefined;
  /** Only users whom events with higher numbers tell. */
  changedAfterEvent?: number | undefined;
}

/** Users in the order of their compared addresses. */
export async function listUsers(db: Queryable, org: string, page: UserPage): Promise<User[]> {
  const query = selectUsers(db, org).orderBy('users.email_key').limit(page.limit);
  if (page.after !== null) query.where('users.email_key', '>', page.after);
  if (page.status !== undefined) query.where('users.status', page.status);
  if (page.search !== undefined) onlyMatching(query, page.search);
  if (page.changedSince !== undefined) onlyChangedSince(query, 'user', 'users', page.changedSince);
  if (page.changedAfterEvent !== undefined) onlyInEvents(query, org, page.changedAfterEvent);
  const rows: UserRow[] = await query;
  if (rows.length === 0) return [];
  // Filtered pages may be far apart: the rows between them are not read.
  const { status, search, changedSince, changedAfterEvent } = page;
  const isSparse = [status, search, changedSince, changedAfterEvent].some((one) => one !== undefined);
  const ids = isSparse ? rows.map(({ id }) => id) : null;
  const teams = await teamsBetween(db, org, rows[0]!.email_key, rows.at(-1)!.email_key, ids);
  return rows.map((row) => fromRow(row, teams));
}

/** Numbers of events have the order of the commits: no change is between two of them. */
function onlyInEvents(query: Knex.QueryBuilder, org: string, after: number): void {
  query.whereRaw(
    "users.id IN (SELECT CAST(e.entity_id AS BIGINT) FROM events e WHERE e.seq > ? AND e.org_id = ? AND e.entity = 'user')",
    [after, org],
  );
}

function onlyMatching(query: Knex.QueryBuilder, text: string): void {
  const pattern = `%${text.toLowerCase().replace(/[\\%_]/g, (sign) => `\\${sign}`)}%`;
  const columns = ['user_name', 'first_name', 'last_name'];
  query.where((any) => {
    any.whereRaw("users.email_key LIKE ? ESCAPE '\\'", [pattern]);
    for (const column of columns) any.orWhereRaw(`LOWER(users.${column}) LIKE ? ESCAPE '\\'`, [pattern]);
  });
}

export interface UserCounts {
  active: number;
  deactivated: number;
  /** Active ones. */
  admins: number;
}

const none: UserCounts = { active: 0, deactivated: 0, admins: 0 };

export async function countUsers(db: Queryable, org: string): Promise<UserCounts> {
  return (await countUsersOf(db, [org])).get(org) ?? none;
}

/**
 * Of each organization that has users. The conditions stand as in the indexes `users_deactivated` and `users_admins`, which would
 * not be used with bindings: nothing else of a large table is read.
 */
export async function countUsersOf(db: Queryable, orgs: readonly string[]): Promise<Map<string, UserCounts>> {
  const count = async (condition: string): Promise<Map<string, number>> => {
    const counted = db('users').whereIn('org_id', orgs).whereRaw(condition).groupBy('org_id');
    const rows: { org_id: string; users: number | string }[] = await counted.select('org_id').count({ users: '*' });
    return new Map(rows.map(({ org_id: org, users }) => [org, Number(users)]));
  };
  const all = await count('1 = 1');
  const deactivated = await count("status = 'deactivated'");
  const admins = await count("is_admin = 1 AND status = 'active'");
  const countsOf = ([org, users]: [string, number]): [string, UserCounts] => {
    const gone = deactivated.get(org) ?? 0;
    return [org, { active: users - gone, deactivated: gone, admins: admins.get(org) ?? 0 }];
  };
  return new Map([...all].map(countsOf));
}

/** How many users name this one as their manager. */
export async function countReports(db: Queryable, userId: number): Promise<number> {
  const row = await db('users').where({ manager_id: userId }).count({ count: '*' }).first();
  return Number(row?.count ?? 0);
}

export interface Owner {
  org: string;
  email: string;
  emailKey: string;
  at: number;
}

/**
 * Makes the organization's owner an active admin, as a new user or as the one of that address, and records the change
 * (rule R3). Whether there was anything to change.
 */
export async function insertOwner(db: Queryable, owner: Owner): Promise<boolean> {
  return db.transaction(async (tx) => {
    await lockDirectory(tx, owner.org);
    const found = await tx('users').where({ org_id: owner.org, email_key: owner.emailKey }).first();
    if (found?.is_admin === 1 && found.status === 'active') return false;
    await bumpVersion(tx, owner.org);
    const mark = await changesMark(tx);
    if (found === undefined) await createOwner(tx, owner);
    else await promoteOwner(tx, owner, found);
    await recordDirectoryEvents(tx, owner.org, mark, owner.at);
    return true;
  });
}

async function createOwner(tx: Knex.Transaction, owner: Owner): Promise<void> {
  const [row] = await tx('users')
    .insert({
      org_id: owner.org,
      email: owner.email,
      email_key: owner.emailKey,
      account_type: 'Regular',
      is_admin: 1,
      status: 'active',
      created_at: owner.at,
      updated_at: owner.at,
    })
    .returning('id');
  const values = { 'User Email': owner.email, 'User Account Type': 'Regular', 'Is Org Admin': 'Yes' };
  await recordOwnerChange(tx, owner, row.id, '', null, JSON.stringify(values));
}

async function promoteOwner(tx: Knex.Transaction, owner: Owner, found: UserRow): Promise<void> {
  await tx('users').where({ id: found.id }).update({
    is_admin: 1,
    status: 'active',
    deactivate_at: null,
    deactivation_date: null,
    deactivated_at: null,
    deactivated_by: null,
    updated_at: owner.at,
  });
  if (found.is_admin === 0) await recordOwnerChange(tx, owner, found.id, 'Is Org Admin', 'No', 'Yes');
  if (found.status !== 'active') await recordOwnerChange(tx, owner, found.id, 'Status', found.status, 'active');
}

async function recordOwnerChange(
  tx: Knex.Transaction,
  owner: Owner,
  userId: number,
  field: string,
  before: string | null,
  after: string | null,
): Promise<void> {
  await tx('changes').insert({
    org_id: owner.org,
    run_id: null,
    upload_id: null,
    line: null,
    entity: 'user',
    entity_id: String(userId),
    field,
    before,
    after,
    at: owner.at,
  });
}

interface UserRow {
  id: number;
  email: string;
  email_key: string;
  user_name: string | null;
  first_name: string | null;
  last_name: string | null;
  manager_email: string | null;
  account_type: AccountType;
  is_admin: number;
  status: UserStatus;
  deactivation_date: string | null;
  deactivate_at: number | null;
  deactivated_at: number | null;
  deactivated_by: string | null;
  /** Text on SQLite; PostgreSQL's driver has parsed it. */
  custom: string | Record<string, string>;
  created_at: number;
  updated_at: number;
}

function selectUsers(db: Queryable, org: string) {
  return db('users')
    .leftJoin('users as managers', 'managers.id', 'users.manager_id')
    .where('users.org_id', org)
    .select('users.*', 'managers.email as manager_email');
}

/** Names of the teams of every user in a range of addresses: one query for a page, whatever its size. */
async function teamsBetween(
  db: Queryable,
  org: string,
  first: string,
  last: string,
  ids: readonly number[] | null,
): Promise<Map<number, string[]>> {
  const rows: { user_id: number; name: string }[] = await db('users')
    .join('memberships', 'memberships.user_id', 'users.id')
    .join('teams', 'teams.id', 'memberships.team_id')
    .where('users.org_id', org)
    .whereBetween('users.email_key', [first, last])
    .modify((query) => ids !== null && query.whereIn('users.id', ids))
    .orderBy('teams.name_key')
    .select('memberships.user_id', 'teams.name');
  const teams = new Map<number, string[]>();
  for (const { user_id, name } of rows) {
    const names = teams.get(user_id);
    if (names === undefined) teams.set(user_id, [name]);
    else names.push(name);
  }
  return teams;
}

function fromRow(row: UserRow, teams: Map<number, string[]>): User {
  return {
    id: row.id,
    email: row.email,
    emailKey: row.email_key,
    userName: row.user_name,
    firstName: row.first_name,
    lastName: row.last_name,
    managerEmail: row.manager_email,
    accountType: row.account_type,
    isAdmin: row.is_admin === 1,
    status: row.status,
    deactivationDate: row.deactivation_date,
    deactivateAt: row.deactivate_at,
    deactivatedAt: row.deactivated_at,
    deactivatedBy: row.deactivated_by,
    custom: typeof row.custom === 'string' ? JSON.parse(row.custom) : row.custom,
    teams: teams.get(row.id) ?? [],
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
