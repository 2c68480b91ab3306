/** Applies a plan in one transaction of the directory, which also records the run and its uploads as applied. */
import type { Queryable } from '../../db/connection.js';
import { recordDirectoryEvents } from '../../db/directory/events.js';
import { addCounted, type Counted } from '../../db/directory/guardcounts.js';
import { carryKnownRows, replaceKnownRows } from '../../db/directory/knownrows.js';
import { countWrite } from '../../db/directory/pair.js';
import { DatabaseError, isUniqueViolation } from '../../db/error.js';
import { insertRows, openScript, type Script } from '../../db/script.js';
import type { Stage } from '../../db/stage.js';
import { createTable, insertRows as stageRows } from '../../db/stagesql.js';

export interface Application {
  org: string;
  runId: number;
  /** `uploadId` null: the changes come from an operator, not from a file. */
  uploads: readonly { file: number; uploadId: number | null }[];
  /** The organization's version that the plan was made on. */
  version: number;
  /** The number of the claim that it is applied under. */
  epoch: number;
  /** The users that the guard counts for the next hours (rule G1); null: none. */
  counted: Counted | null;
  /** Milliseconds since 1970. */
  now: number;
  /** Everything that settling the run needs, stored as JSON; `findApplied` returns it after a crash. */
  outcome: unknown;
  /** The file rows that the directory will match; `kept`: the same as before; null: none are known. */
  known: Parameters<typeof replaceKnownRows>[3] | 'kept';
}

/** The `outcome` that the run was applied with; null: it was not applied. */
export async function findApplied(db: Queryable, runId: number): Promise<unknown | null> {
  const row = await db('applied_runs').where({ run_id: runId }).first();
  return row === undefined ? null : JSON.parse(row.outcome);
}

/**
 * Applies the plan in the stage completely or not at all.
 * @throws DatabaseError `conflict` when the directory changed since it was planned: plan again;
 *   `fenced` when another importer has taken the run over; `duplicate` when this run, or an upload of it, was applied before.
 */
export async function applyPlan(stage: Stage, application: Application): Promise<void> {
  await stage.script.flush();
  await stage.db.transaction(async (tx) => {
    const script = openScript(tx, stage.dialect);
    const { org, runId, now, counted } = application;
    await claimVersion(script, application);
    await recordApplication(script, application);
    await recordKnown(script, application);
    if (counted !== null) await addCounted(script, org, runId, now, counted);
    const step = (sql: string) => script.run(sql, { org, runId, now });
    await numberNew(stage, step);
    for (const sql of statements(stage)) await step(sql);
    // Before the first change is recorded.
    const [found] = await script.rows<{ mark: number; moved: number; origins: number }>(
      `SELECT COALESCE((SELECT MAX(id) FROM changes), 0) AS mark,
         (SELECT COUNT(*) FROM ${stage.prefix}.people WHERE address IS NOT NULL) AS moved,
         (SELECT COUNT(*) FROM (SELECT 1 AS one FROM field_origins WHERE org_id = :org LIMIT 1) few) AS origins`,
      { org },
    );
    const hasMoved = Number(found!.moved) > 0;
    if (hasMoved) await showAddresses(stage, step);
    await recordChanges(stage, application, script, hasMoved);
    if (Number(found!.origins) > 0) await dropOrigins(stage, step);
    await countWrite(script);
    await script.flush();
    await recordDirectoryEvents(tx, org, Number(found!.mark), now);
  });
}

/** Locks the organization's row until the end of the transaction: whoever takes the run over waits for it, and finds it applied. */
async function claimVersion(script: Script, { org, runId, version, epoch }: Application): Promise<void> {
  const known = { org, version, epoch };
  await script.run(
    'INSERT INTO org_versions (org_id, version) VALUES (:org, 0) ON CONFLICT (org_id) DO NOTHING',
    known,
  );
  const claimed = await script.rows(
    `UPDATE org_versions SET version = version + 1
     WHERE org_id = :org AND version = :version AND fence <= :epoch RETURNING version`,
    known,
  );
  if (claimed.length > 0) return;
  const fenced = await script.rows('SELECT 1 FROM org_versions WHERE org_id = :org AND fence > :epoch', known);
  if (fenced.length > 0) throw new DatabaseError('fenced', `run ${runId} belongs to another importer now`);
  throw new DatabaseError('conflict', `the directory of ${org} changed while its run was planned`);
}

async function recordKnown(script: Script, { org, version, known }: Application): Promise<void> {
  if (known === 'kept') await carryKnownRows(script, org, version);
  else await replaceKnownRows(script, org, version + 1, known);
}

/** Rows of one statement. */
const batchRows = 500;

async function recordApplication(script: Script, { org, runId, uploads, now, outcome }: Application): Promise<void> {
  try {
    await script.run('INSERT INTO applied_runs (run_id, org_id, at, outcome) VALUES (:runId, :org, :now, :outcome)', {
      ...{ runId, org, now, outcome: JSON.stringify(outcome) },
    });
    const ids = uploads.flatMap(({ uploadId }) => (uploadId === null ? [] : [{ upload_id: uploadId, run_id: runId }]));
    for (let from = 0; from < ids.length; from += batchRows)
      await insertRows(script, 'applied_uploads', ids.slice(from, from + batchRows));
    await script.flush();
  } catch (cause) {
    if (isUniqueViolation(cause))
      throw new DatabaseError('duplicate', `run ${runId} or one of its files was applied before`, { cause });
    throw cause;
  }
}

/** Gives new users and teams their ids, so that the rest can refer to them. */
async function numberNew({ dialect, prefix: s }: Stage, step: (sql: string) => Promise<unknown>): Promise<void> {
  for (const [plan, table] of [
    ['people', 'users'],
    ['groups', 'teams'],
  ]) {
    const next =
      dialect === 'postgres'
        ? `nextval(pg_get_serial_sequence('${table}', 'id'))`
        : `n + COALESCE((SELECT seq FROM main.sqlite_sequence WHERE name = '${table}'), 0)`;
    await step(`UPDATE ${s}.${plan} SET id = ${next} WHERE is_new = 1`);
  }
}

function statements({ prefix: s }: Stage): string[] {
  const values = `user_name, first_name, last_name, manager_id, account_type, is_admin, status, deactivation_date, deactivate_at,
    deactivated_at, deactivated_by, custom`;
  const names = values.split(',').map((name) => name.trim());
  const idOf = (key: string, plan: string, table: string, tableKey: string) =>
    `COALESCE((SELECT x.id FROM ${s}.${plan} x WHERE x.key = ${key}),
      (SELECT y.id FROM ${table} y WHERE y.org_id = :org AND y.${tableKey} = ${key}))`;
  // Users whose email changes are in the plan; the email of all others is their key.
  const pairs = (table: string) =>
    `SELECT COALESCE(p.id, u.id), k.id FROM ${s}.${table} j LEFT JOIN ${s}.people p ON p.key = j.person_key
     LEFT JOIN users u ON p.id IS NULL AND u.org_id = :org AND u.email_key = j.person_key
     CROSS JOIN teams k WHERE k.org_id = :org AND k.name_key = j.team_key`;
  return [
    `INSERT INTO fields (id, org_id, label, label_key, type, position, created_at)
     SELECT id, :org, label, label_key, type, position, created_at FROM ${s}.fields`,
    // Frees each email that one user gives up and another one takes.
    `UPDATE users SET email_key = ' ' || CAST(id AS TEXT)
     WHERE id IN (SELECT p.id FROM ${s}.people p WHERE p.is_new = 0 AND p.address IS NOT NULL)`,
    `UPDATE ${s}.people SET manager_id = ${idOf(`people.manager_key`, 'people', 'users', 'email_key')}
     WHERE manager_key IS NOT NULL`,
    `INSERT INTO users (id, org_id, email, email_key, ${values}, in_files, created_at, updated_at)
     SELECT id, :org, email, COALESCE(address, key), ${values}, in_files, CAST(:now AS BIGINT), CAST(:now AS BIGINT) FROM ${s}.people WHERE is_new = 1 ORDER BY n`,
    `INSERT INTO former_emails (org_id, email_key, user_id)
     SELECT :org, f.email_key, p.id FROM ${s}.formers f JOIN ${s}.people p ON p.key = f.key WHERE 1 = 1
     ON CONFLICT (org_id, email_key) DO UPDATE SET user_id = excluded.user_id`,
    `INSERT INTO schedules_before (run_id, user_id, deactivate_at, deactivated_at, deactivated_by)
     SELECT CAST(:runId AS BIGINT), u.id, u.deactivate_at, u.deactivated_at, u.deactivated_by FROM ${s}.people p JOIN users u ON u.id = p.id
     WHERE p.is_new = 0 AND (u.status, u.deactivation_date, u.deactivate_at) IS DISTINCT FROM (p.status, p.deactivation_date, p.deactivate_at)`,
    `UPDATE users AS u SET ${names.map((name) => `${name} = p.${name}`).join(', ')}, updated_at = CAST(:now AS BIGINT)
     FROM ${s}.people p WHERE p.id = u.id AND p.is_new = 0
       AND (${names.map((name) => `u.${name}`).join(', ')}) IS DISTINCT FROM (${names.map((name) => `p.${name}`).join(', ')})`,
    `UPDATE users AS u SET in_files = p.in_files FROM ${s}.people p
     WHERE p.id = u.id AND p.is_new = 0 AND p.in_files IS NOT NULL AND u.in_files IS DISTINCT FROM p.in_files`,
    ...countAbsences(s),
    `UPDATE users AS u SET email = p.email, email_key = p.address, updated_at = CAST(:now AS BIGINT)
     FROM ${s}.people p WHERE p.id = u.id AND p.is_new = 0 AND p.address IS NOT NULL`,
    `UPDATE ${s}.groups SET owner_id = ${idOf('groups.owner_key', 'people', 'users', 'email_key')} WHERE owner_key IS NOT NULL`,
    `UPDATE ${s}.groups SET parent_id = ${idOf('groups.parent_key', 'groups', 'teams', 'name_key')} WHERE parent_key IS NOT NULL`,
    `INSERT INTO teams (id, org_id, name, name_key, owner_id, parent_id, type, created_at, updated_at)
     SELECT id, :org, name, key, owner_id, parent_id, type, CAST(:now AS BIGINT), CAST(:now AS BIGINT)
     FROM ${s}.groups WHERE is_new = 1 ORDER BY n`,
    `UPDATE teams AS k SET owner_id = g.owner_id, parent_id = g.parent_id, type = g.type, updated_at = CAST(:now AS BIGINT)
     FROM ${s}.groups g WHERE g.id = k.id AND g.is_new = 0`,
    `INSERT INTO memberships (user_id, team_id) ${pairs('joins')} ON CONFLICT (user_id, team_id) DO NOTHING`,
    `DELETE FROM memberships WHERE (user_id, team_id) IN (${pairs('leaves')})`,
  ];
}

/** A value that a file changes, or an undo restores, is no longer one that a person set. */
async function dropOrigins({ prefix: s }: Stage, step: (sql: string) => Promise<unknown>): Promise<void> {
  await step(
    `DELETE FROM field_origins WHERE org_id = :org AND (entity, entity_id, field) IN
       (SELECT c.entity, COALESCE(p.id, g.id, u.id, k.id), CASE WHEN c.field = 'Status' THEN 'Deactivation Date' ELSE
          COALESCE((SELECT f.id FROM fields f WHERE c.entity = 'user' AND f.org_id = :org AND f.label = c.field), c.field) END
        FROM ${s}.changes c LEFT JOIN ${s}.people p ON c.entity = 'user' AND p.key = c.key
        LEFT JOIN ${s}.groups g ON c.entity = 'team' AND g.key = c.key
        LEFT JOIN users u ON p.id IS NULL AND c.entity = 'user' AND u.org_id = :org AND u.email_key = c.key
        LEFT JOIN teams k ON g.id IS NULL AND c.entity = 'team' AND k.org_id = :org AND k.name_key = c.key)`,
  );
}

/** How many full files in a row lack each user, which files were counted, and whose number this run has raised (rule U3a). */
function countAbsences(s: string): string[] {
  return [
    `DELETE FROM omissions WHERE user_id IN (SELECT a.id FROM ${s}.absences a WHERE a.missed = 0)`,
    `INSERT INTO omissions (run_id, user_id) SELECT CAST(:runId AS BIGINT), a.id FROM ${s}.absences a WHERE a.is_raised = 1`,
    `UPDATE users AS u SET missed_files = a.missed FROM ${s}.absences a WHERE a.id = u.id`,
    `INSERT INTO full_files (org_id, digest, day, run_id) SELECT :org, f.digest, f.day, CAST(:runId AS BIGINT) FROM ${s}.fulls f
     WHERE true ON CONFLICT (org_id) DO UPDATE SET digest = excluded.digest, day = excluded.day, run_id = excluded.run_id`,
  ];
}

/** Puts emails into the recorded changes, where the plan has keys. */
async function showAddresses({ prefix: s }: Stage, step: (sql: string) => Promise<unknown>): Promise<void> {
  await step(
    `UPDATE ${s}.changes AS c SET after = p.address FROM ${s}.people p
     WHERE p.key = c.after AND p.address IS NOT NULL AND c.field IN ('Manager Email', 'Owner Email')`,
  );
}

/** More files than these are recorded together. */
const fewFiles = 16;

async function stageUploads(stage: Stage, script: Script, uploads: Application['uploads']): Promise<void> {
  await createTable({ ...stage, script }, 'uploads', 'file INT PRIMARY KEY, upload_id BIGINT');
  const rows = uploads.map(({ file, uploadId }) => [file, uploadId]);
  await stageRows({ ...stage, script }, 'uploads', ['file INT', 'upload_id BIGINT'], rows);
}

/** Each change with its run, file, line, entity, field, before and after (rule R3); a creation with all its values. */
async function recordChanges(
  stage: Stage,
  { org, runId, uploads, now }: Application,
  script: Script,
  hasMoved: boolean,
): Promise<void> {
  const { dialect, prefix: s } = stage;
  const emailOf = (key: string) =>
    hasMoved ? `COALESCE((SELECT m.address FROM ${s}.people m WHERE m.key = ${key}), ${key})` : key;
  const object = dialect === 'sqlite' ? 'json_object' : 'jsonb_build_object';
  const withoutNulls = (json: string) =>
    dialect === 'sqlite' ? `json_patch('{}', ${json})` : `jsonb_strip_nulls(${json})::text`;
  const person = withoutNulls(
    `${object}('User Email', x.email, 'User Name', x.user_name, 'First Name', x.first_name, 'Last Name', x.last_name,
      'Manager Email', ${emailOf('x.manager_key')}, 'User Account Type', x.account_type, 'Is Org Admin', CASE x.is_admin WHEN 1 THEN 'Yes' ELSE 'No' END,
      'Deactivation Date', x.deactivation_date, 'Status', x.status, 'custom', ${dialect === 'sqlite' ? 'json(x.custom)' : 'x.custom'})`,
  );
  const group = withoutNulls(
    `${object}('Team Name', x.name, 'Owner Email', ${emailOf('x.owner_key')}, 'Parent Team', x.parent_key, 'Team Type', x.type)`,
  );
  const field = withoutNulls(`${object}('label', x.label, 'type', x.type)`);
  const columns = 'org_id, run_id, upload_id, line, entity, entity_id, field, before, after, at';
  // Of few files each is recorded by itself. Those of many are found in a table, all at once: the plan is read once.
  const areMany = uploads.length > fewFiles;
  if (areMany) await stageUploads(stage, script, uploads);
  const uploadId = areMany
    ? `(SELECT f.upload_id FROM ${s}.uploads f WHERE f.file = x.file)`
    : 'CAST(:uploadId AS BIGINT)';
  const head = `SELECT :org, CAST(:runId AS BIGINT), ${uploadId}`;
  const isOf = areMany ? `x.file IN (SELECT f.file FROM ${s}.uploads f)` : 'x.file = :file';
  const created = (entity: string, plan: string, after: string) =>
    `INSERT INTO changes (${columns}) ${head}, ${plan === 'fields' ? '1' : 'x.line'}, '${entity}', CAST(x.id AS TEXT), '', NULL, ${after},
     CAST(:now AS BIGINT) FROM ${s}.${plan} x WHERE ${isOf} ${plan === 'fields' ? '' : 'AND x.is_new = 1 ORDER BY x.n'}`;
  for (const { file, uploadId: id } of areMany ? uploads.slice(0, 1) : uploads) {
    const bindings = { org, runId, uploadId: id, now, file };
    await script.run(created('field', 'fields', field), bindings);
    await script.run(created('user', 'people', person), bindings);
    await script.run(created('team', 'groups', group), bindings);
    await script.run(
      `INSERT INTO changes (${columns}) ${head}, x.line, x.entity, CAST(COALESCE(p.id, g.id, u.id, k.id) AS TEXT), x.field, x.before,
         x.after, CAST(:now AS BIGINT) FROM ${s}.changes x
       LEFT JOIN ${s}.people p ON x.entity = 'user' AND p.key = x.key
       LEFT JOIN ${s}.groups g ON x.entity = 'team' AND g.key = x.key
       LEFT JOIN users u ON p.id IS NULL AND x.entity = 'user' AND u.org_id = :org AND u.email_key = x.key
       LEFT JOIN teams k ON g.id IS NULL AND x.entity = 'team' AND k.org_id = :org AND k.name_key = x.key
       WHERE ${isOf}`,
      bindings,
    );
  }
}
