/** Renames teams, and keeps their old names: a file that still has one means the team (rules U7, T1). */
import type { Queryable } from '../connection.js';
import { bumpVersion } from './directory.js';
import { changesMark, recordDirectoryEvents } from './events.js';

export interface TeamAlias {
  /** As the team was called, and the compared form. */
  name: string;
  key: string;
  teamName: string;
  teamKey: string;
  createdAt: number;
}

export interface TeamRename {
  org: string;
  /** Compared form of the name, or of one that the team had before. */
  fromKey: string;
  name: string;
  key: string;
  at: number;
}

/** `unknown`: no team has the old name; `taken`: another team has the new one; `former`: had it once, and files may mean it. */
export type RenameOutcome = 'renamed' | 'unknown' | 'taken' | 'former';

/** Renames a team; its old name becomes an alias. One transaction, with a record of the change (rule R3). */
export async function renameTeam(db: Queryable, { org, fromKey, name, key, at }: TeamRename): Promise<RenameOutcome> {
  return db.transaction(async (tx) => {
    await bumpVersion(tx, org);
    const alias = await tx('team_aliases').where({ org_id: org, name_key: fromKey }).first();
    const team =
      (await tx('teams').where({ org_id: org, name_key: fromKey }).first()) ??
      (alias === undefined ? undefined : await tx('teams').where({ id: alias.team_id }).first());
    if (team === undefined) return 'unknown';
    const holder = await tx('teams').where({ org_id: org, name_key: key }).first();
    if (holder !== undefined && holder.id !== team.id) return 'taken';
    const former = await tx('team_aliases').where({ org_id: org, name_key: key }).first();
    if (former !== undefined && former.team_id !== team.id) return 'former';
    const mark = await changesMark(tx);
    await tx('teams').where({ id: team.id }).update({ name, name_key: key, updated_at: at });
    await tx('team_aliases').where({ org_id: org, name_key: key }).delete();
    if (team.name_key !== key)
      await tx('team_aliases').insert({
        org_id: org,
        name_key: team.name_key,
        name: team.name,
        team_id: team.id,
        created_at: at,
      });
    await tx('changes').insert({
      org_id: org,
      run_id: null,
      upload_id: null,
      line: null,
      entity: 'team',
      entity_id: String(team.id),
      field: 'Team Name',
      before: team.name,
      after: name,
      at,
    });
    await recordDirectoryEvents(tx, org, mark, at);
    return 'renamed';
  });
}

/** By their names. */
export async function listTeamAliases(db: Queryable, org: string): Promise<TeamAlias[]> {
  const rows = await db('team_aliases')
    .join('teams', 'teams.id', 'team_aliases.team_id')
    .where('team_aliases.org_id', org)
    .orderBy('team_aliases.name_key')
    .select('team_aliases.*', 'teams.name as team_name', 'teams.name_key as team_key');
  return rows.map((row) => ({
    name: row.name,
    key: row.name_key,
    teamName: row.team_name,
    teamKey: row.team_key,
    createdAt: row.created_at,
  }));
}

/** From now on a file that has the name means a team of its own; false: it is no alias. */
export async function deleteTeamAlias(db: Queryable, org: string, key: string): Promise<boolean> {
  return db.transaction(async (tx) => {
    await bumpVersion(tx, org);
    return (await tx('team_aliases').where({ org_id: org, name_key: key }).delete()) > 0;
  });
}
