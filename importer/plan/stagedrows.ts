/** Writes the typed rows of a file into the stage: thousands in one statement. */
import type { Stage } from '../../db/stage.js';
import { insertRows } from '../../db/stagesql.js';
import type { TeamRow } from '../read/teamrow.js';
import type { UserRow } from '../read/userrow.js';

/** A row with the values that it empties, as takeClears gives them. */
export type Staged<R> = R & { clears: string | null };

export async function stageUsers(stage: Stage, users: readonly Staged<UserRow>[]): Promise<void> {
  const columns = [
    'line INT',
    'email TEXT',
    'key TEXT',
    'user_name TEXT',
    'first_name TEXT',
    'last_name TEXT',
    'manager_key TEXT',
    'manager_email TEXT',
    'manager_name TEXT',
    'manager_ident TEXT',
    'teams JSON',
    'account_type TEXT',
    'is_admin INT',
    'deactivation_date TEXT',
    'deactivation_at BIGINT',
    'status TEXT',
    'custom JSON',
    'ident TEXT',
    'clears TEXT',
  ];
  const rows = users.map((user) => [
    user.line,
    user.email,
    user.key,
    user.userName,
    user.firstName,
    user.lastName,
    user.managerKey,
    user.managerEmail,
    user.managerName,
    user.managerIdent,
    user.teams?.map(({ key, name }) => [key, name]) ?? null,
    user.accountType,
    user.isAdmin === null ? null : Number(user.isAdmin),
    user.deactivationDate,
    user.deactivationAt,
    user.status,
    user.custom,
    user.ident,
    user.clears,
  ]);
  await insertRows(stage, 'user_rows', columns, rows);
}

export async function stageTeams(stage: Stage, teams: readonly Staged<TeamRow>[]): Promise<void> {
  const columns = [
    'line INT',
    'name TEXT',
    'key TEXT',
    'owner_key TEXT',
    'owner_email TEXT',
    'parent_key TEXT',
    'parent_name TEXT',
    'type TEXT',
    'clears TEXT',
  ];
  const rows = teams.map((team) => [
    team.line,
    team.name,
    team.key,
    team.ownerKey,
    team.ownerEmail,
    team.parentKey,
    team.parentName,
    team.type,
    team.clears,
  ]);
  await insertRows(stage, 'team_rows', columns, rows);
}
