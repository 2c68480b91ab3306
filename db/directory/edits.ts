/** Writes the change that a person makes to one user or team. All functions join the caller's transaction. */

import type { Queryable } from '../connection.js';
import { dialectOf } from '../dialect.js';
import { inScript } from '../script.js';
import { knownRowBytes, readKnownRows, replaceKnownRows } from './knownrows.js';
import { countWrite } from './pair.js';

/** A user as the table has it. */
export interface EditableUser {
  id: number;
  email: string;
  email_key: string;
  user_name: string | null;
  first_name: string | null;
  last_name: string | null;
  manager_id: number | null;
  account_type: string;
  is_admin: number;
  status: 'active' | 'deactivated';
  deactivation_date: string | null;
  deactivate_at: number | null;
  deactivated_at: number | null;
  deactivated_by: string | null;
  custom: Record<string, string>;
}

export interface EditableTeam {
  id: number;
  name: string;
  name_key: string;
  owner_id: number | null;
  parent_id: number | null;
  type: string | null;
}

/** null: no such user. */
export async function readEditableUser(tx: Queryable, org: string, emailKey: string): Promise<EditableUser | null> {
  const row = await tx('users').where({ org_id: org, email_key: emailKey }).first();
  if (row === undefined) return null;
  return { ...row, custom: typeof row.custom === 'string' ? JSON.parse(row.custom) : row.custom };
}

/** By its name, or by one that it had before; null: no such team. */
export async function readEditableTeam(tx: Queryable, org: string, nameKey: string): Promise<EditableTeam | null> {
  const team = await tx('teams').where({ org_id: org, name_key: nameKey }).first();
  if (team !== undefined) return team;
  const alias = await tx('team_aliases').where({ org_id: org, name_key: nameKey }).first();
  return alias === undefined ? null : ((await tx('teams').where({ id: alias.team_id }).first()) ?? null);
}

/** Makes the run one that changed the directory, so that it can be undone. */
export async function recordEdit(tx: Queryable, org: string, runId: number, at: number): Promise<void> {
  const outcome = JSON.stringify({ reports: [], uploads: [], summary: null });
  await tx('applied_runs').insert({ run_id: runId, org_id: org, at, outcome });
  await inScript(tx, countWrite);
}

const scheduleColumns = ['status', 'deactivation_date', 'deactivate_at'] as const;

/** Keeps the schedule before the change, for an undo; a former email, for files that still have it. */
export async function updateUser(
  tx: Queryable,
  org: string,
  before: EditableUser,
  after: EditableUser,
  runId: number,
  at: number,
): Promise<void> {
  if (scheduleColumns.some((column) => before[column] !== after[column]))
    await tx('schedules_before').insert({
      run_id: runId,
      user_id: before.id,
      deactivate_at: before.deactivate_at,
      deactivated_at: before.deactivated_at,
      deactivated_by: before.deactivated_by,
    });
  if (before.email_key !== after.email_key)
    await tx('former_emails')
      .insert({ org_id: org, email_key: before.email_key, user_id: before.id })
      .onConflict(['org_id', 'email_key'])
      .merge(['user_id']);
  const { id, custom, ...values } = after;
  await tx('users')
    .where({ id })
    .update({ ...values, custom: JSON.stringify(custom), updated_at: at });
}

export async function updateTeam(tx: Queryable, { id, owner_id, parent_id, type }: EditableTeam, at: number) {
  await tx('teams').where({ id }).update({ owner_id, parent_id, type, updated_at: at });
}

/** Teams of a user, by their ids. */
export async function listMemberships(tx: Queryable, userId: number): Promise<{ id: number; name: string }[]> {
  return tx('memberships')
    .join('teams', 'teams.id', 'memberships.team_id')
    .where({ user_id: userId })
    .orderBy('teams.name_key')
    .select('teams.id', 'teams.name');
}

export async function changeMemberships(
  tx: Queryable,
  userId: number,
  { joined, left }: { joined: readonly number[]; left: readonly number[] },
): Promise<void> {
  await tx('memberships').where({ user_id: userId }).whereIn('team_id', left).delete();
  for (const teamId of joined) await tx('memberships').insert({ user_id: userId, team_id: teamId });
}

/** Whether the way up from a user or team leads to `id`: then neither can be above `id`. */
export async function leadsUpTo(
  tx: Queryable,
  { table, edge }: { table: 'users'; edge: 'manager_id' } | { table: 'teams'; edge: 'parent_id' },
  from: number,
  id: number,
): Promise<boolean> {
  const query = `WITH RECURSIVE up(id) AS (SELECT CAST(? AS BIGINT) UNION
    SELECT x.${edge} FROM ${table} x JOIN up ON up.id = x.id WHERE x.${edge} IS NOT NULL)
    SELECT COUNT(*) AS n FROM up WHERE id = ?`;
  const found = await tx.raw(query, [from, id]);
  const rows = (dialectOf(tx) === 'postgres' ? found.rows : found) as { n: number }[];
  return Number(rows[0]!.n) > 0;
}

/** Whether another user is an active admin whose deactivation is not scheduled. */
export async function hasOtherAdmin(tx: Queryable, org: string, userId: number): Promise<boolean> {
  const admins = tx('users').where({ org_id: org, is_admin: 1, status: 'active' }).whereNull('deactivate_at');
  return (await admins.whereNot({ id: userId }).first('id')) !== undefined;
}

/** The address of another user who has the value in a custom field; null: none has. */
export async function findHolder(
  tx: Queryable,
  org: string,
  fieldId: string,
  value: string,
  userId: number,
): Promise<string | null> {
  const column = dialectOf(tx) === 'postgres' ? 'custom->>?' : 'json_extract(custom, ?)';
  const path = dialectOf(tx) === 'postgres' ? fieldId : `$."${fieldId}"`;
  const row = await tx('users')
    .where({ org_id: org })
    .whereNot({ id: userId })
    .whereRaw(`${column} = ?`, [path, value])
    .first('email');
  return row?.email ?? null;
}

/**
 * Makes known rows hold for `version`, all but the row of one user, which the next file has planned again.
 * @param user digest of the user's compared email; null: no row is forgotten.
 */
export async function forgetKnownRow(tx: Queryable, org: string, version: number, user: Buffer | null): Promise<void> {
  const stored = await readKnownRows(tx, org, version - 1);
  if (stored === null) return;
  const { form, rules, pieces } = stored;
  const keep = (piece: Buffer) => (user === null ? piece : withoutUser(piece, user));
  const kept = { form, rules, pieces: pieces.map(keep) };
  await inScript(tx, (script) => replaceKnownRows(script, org, version, kept));
}

const userBytes = 8;

function withoutUser(piece: Buffer, user: Buffer): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0; at < piece.length; at += knownRowBytes) {
    const row = piece.subarray(at, at + knownRowBytes);
    if (!row.subarray(knownRowBytes - userBytes).equals(user.subarray(0, userBytes))) kept.push(row);
  }
  return Buffer.concat(kept);
}
