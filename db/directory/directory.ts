/** An organization's directory as a whole: its version, and its deletion. */
import type { Queryable } from '../connection.js';
import { inScript } from '../script.js';
import { replaceKnownRows } from './knownrows.js';
import { countWrite, keepHighest } from './pair.js';

/** Rises with every write; 0: nothing was written yet. Two equal readings enclose an unchanged directory. */
export async function readVersion(db: Queryable, org: string): Promise<number> {
  const row = await db('org_versions').where({ org_id: org }).first('version');
  return row?.version ?? 0;
}

/** As readVersion, of every organization that anything was written of. */
export async function listVersions(db: Queryable): Promise<Map<string, number>> {
  const rows = await db('org_versions').select('org_id', 'version');
  return new Map(rows.map((row) => [row.org_id, row.version]));
}

/**
 * Counts a write to the organization's directory; joins the caller's transaction. The version after it. Known rows are void
 * with it, unless the caller takes them along.
 */
export async function bumpVersion(tx: Queryable, org: string): Promise<number> {
  const [row] = await tx('org_versions')
    .insert({ org_id: org, version: 1 })
    .onConflict('org_id')
    .merge({ version: tx.raw('org_versions.version + 1') })
    .returning('version');
  return row!.version;
}

/** Keeps all other writers of the organization's directory out until the transaction ends, and voids no plan. */
export async function lockDirectory(tx: Queryable, org: string): Promise<void> {
  await tx('org_versions').where({ org_id: org }).forUpdate().first('version');
}

/** Organizations that the directory holds anything of. */
export async function listDirectories(db: Queryable): Promise<string[]> {
  return (await db('org_versions').orderBy('org_id').select('org_id')).map((row) => row.org_id);
}

/** Removes all that the directory holds of an organization; how many users and teams that were. */
export function deleteDirectory(db: Queryable, org: string): Promise<{ users: number; teams: number }> {
  return db.transaction((tx) => clearDirectory(tx, org));
}

/** As deleteDirectory; joins the caller's transaction, until whose end nothing else writes to this directory. */
export async function clearDirectory(tx: Queryable, org: string): Promise<{ users: number; teams: number }> {
  // First, as an import does: what one that applies its plan just now writes is removed too.
  await bumpVersion(tx, org);
  await keepHighest(tx);
  const runs = tx('applied_runs').where({ org_id: org }).select('run_id');
  await tx('applied_uploads').whereIn('run_id', runs).delete();
  await tx('applied_runs').where({ org_id: org }).delete();
  await tx('changes').where({ org_id: org }).delete();
  await tx('team_aliases').where({ org_id: org }).delete();
  await tx('schedules_before')
    .whereIn('user_id', tx('users').where({ org_id: org }).select('id'))
    .delete();
  await tx('former_emails').where({ org_id: org }).delete();
  await tx('guard_counts').where({ org_id: org }).delete();
  await tx('full_files').where({ org_id: org }).delete();
  await tx('omissions')
    .whereIn('user_id', tx('users').where({ org_id: org }).select('id'))
    .delete();
  await tx('erased_people').where({ org_id: org }).delete();
  await tx('pending_erasures').where({ org_id: org }).delete();
  await tx('field_origins').where({ org_id: org }).delete();
  await inScript(tx, (script) => replaceKnownRows(script, org, 0, null));
  const users = await tx('users').where({ org_id: org }).delete();
  const teams = await tx('teams').where({ org_id: org }).delete();
  await tx('fields').where({ org_id: org }).delete();
  await tx('org_versions').where({ org_id: org }).delete();
  await inScript(tx, countWrite);
  return { users, teams };
}
