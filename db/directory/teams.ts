/** Reads teams: pages of them by name, with owner, parent and size. */
import type { Queryable } from '../connection.js';
import { onlyChangedSince } from './history.js';

export interface Team {
  id: number;
  /** As first written. */
  name: string;
  nameKey: string;
  ownerEmail: string | null;
  parentId: number | null;
  parentName: string | null;
  type: string | null;
  /** Members, deactivated ones too. */
  members: number;
  createdAt: number;
  updatedAt: number;
}

/**
 * Teams in the order of their compared names, from after the compared name `after` (null begins); at most `limit`.
 * @param changedSince only those of which a change was recorded at this time (ms) or later.
 */
export async function listTeams(
  db: Queryable,
  org: string,
  after: string | null,
  limit: number,
  changedSince?: number,
): Promise<Team[]> {
  const rows: TeamRow[] = await selectTeams(db, org)
    .modify((query) => after !== null && query.where('teams.name_key', '>', after))
    .modify((query) => {
      if (changedSince !== undefined) onlyChangedSince(query, 'team', 'teams', changedSince);
    })
    .orderBy('teams.name_key')
    .limit(limit);
  return rows.map(fromRow);
}

/** By its compared name, or one that it had before; null: no such team. */
export async function findTeam(db: Queryable, org: string, nameKey: string): Promise<Team | null> {
  const alias = db('team_aliases').where({ org_id: org, name_key: nameKey }).select('team_id');
  const rows: TeamRow[] = await selectTeams(db, org).where((either) =>
    either.where('teams.name_key', nameKey).orWhereIn('teams.id', alias),
  );
  const row = rows.find(({ name_key }) => name_key === nameKey) ?? rows[0];
  return row === undefined ? null : fromRow(row);
}

function selectTeams(db: Queryable, org: string) {
  const members = db('memberships').whereRaw('memberships.team_id = teams.id').count('*').as('members');
  return db('teams')
    .leftJoin('users as owners', 'owners.id', 'teams.owner_id')
    .leftJoin('teams as parents', 'parents.id', 'teams.parent_id')
    .where('teams.org_id', org)
    .select('teams.*', 'owners.email as owner_email', 'parents.name as parent_name', members);
}

function fromRow(row: TeamRow): Team {
  return {
    id: row.id,
    name: row.name,
    nameKey: row.name_key,
    ownerEmail: row.owner_email,
    parentId: row.parent_id,
    parentName: row.parent_name,
    type: row.type,
    members: Number(row.members),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

export async function countTeams(db: Queryable, org: string): Promise<number> {
  return (await countTeamsOf(db, [org])).get(org) ?? 0;
}

/** Of each organization that has teams. */
export async function countTeamsOf(db: Queryable, orgs: readonly string[]): Promise<Map<string, number>> {
  const rows: { org_id: string; count: number | string }[] = await db('teams')
    .whereIn('org_id', orgs)
    .groupBy('org_id')
    .select('org_id')
    .count({ count: '*' });
  return new Map(rows.map(({ org_id: org, count }) => [org, Number(count)]));
}

interface TeamRow {
  id: number;
  name: string;
  name_key: string;
  owner_email: string | null;
  parent_id: number | null;
  parent_name: string | null;
  type: string | null;
  members: number;
  created_at: number;
  updated_at: number;
}
