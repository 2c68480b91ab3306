/** Applies a plan in one transaction of the directory, which also records the run and its uploads as applied. */
import type { Queryable } from '../../db/connection.js';
import type { Dialect } from '../../db/dialect.js';
import { type ChangeRange, recordDirectoryEvents } from '../../db/directory/events.js';
import { addCounted, type Counted } from '../../db/directory/guardcounts.js';
import { carryKnownRows, replaceKnownRows } from '../../db/directory/knownrows.js';
import { countWrite } from '../../db/directory/pair.js';
import { DatabaseError, isUniqueViolation } from '../../db/error.js';
import { insertRows, openScript, type Script } from '../../db/script.js';
import { requireWhole, type Stage } from '../../db/stage.js';
import { analyze, createTable, insertRows as stageRows } from '../../db/stagesql.js';

export interface Application {
  org: string;
  runId: number;
  /** `uploadId` null: the changes come from an operator, not from a file. */
  uploads: readonly { file: number; uploadId: number | null }[];
  /** The organization's version that the plan was made on. */
  version: number;
  /** The number of the claim that it is applied under. */
  epoch: number;
  /** Whether the importer still has the run: asked where the directory has nothing of the organization, which may have been removed. */
  isClaimed: () => Promise<boolean>;
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
 * @throws DatabaseError `conflict` when the directory changed since it was planned, or the plan is lost: plan again;
 *   `fenced` when another importer has taken the run over; `duplicate` when this run, or an upload of it, was applied before.
 */
export async function applyPlan(stage: Stage, application: Application): Promise<void> {
  await analyze(stage, 'changes');
  await stage.script.flush();
  await stage.db.transaction(async (tx) => {
    await requireWhole(stage, tx);
    const script = openScript(tx, stage.dialect);
    const { org, runId, now, counted } = application;
    await claimVersion(script, application);
    await recordApplication(script, application);
    if (counted !== null) await addCounted(script, org, runId, now, counted);
    // Many statements are for these alone, and most people of a large first import are new and have their key as their email.
    await script.run(indexFew(stage));
    const before = await readBefore(stage, script, org);
    const step = (sql: string) => script.run(sql, { org, runId, now, base: before.base });
    await numberNew(stage, step);
    for (const sql of statements(stage)) await step(sql);
    if (before.hasMoved) await showAddresses(stage, step);
    // Each of the next ones takes seconds, and a driver may keep the event loop meanwhile.
    if (before.isLarge) await script.flush();
    const ofNew = await recordChanges(stage, application, script, before);
    if (before.hasOrigins) await dropOrigins(stage, step);
    await countWrite(script);
    await script.leave();
    await recordDirectoryEvents(tx, org, before.mark, now, {
      rows: `SELECT p.n, ${idOf(stage, 'p', before.base)} AS id, p.status, p.deactivate_at FROM ${stage.prefix}.people p WHERE p.is_new = 1`,
      runId,
      changes: ofNew,
    });
  });
}

/** The directory before the first change, and the plan. */
interface Before {
  /** The last recorded change. */
  mark: number;
  /** On SQLite the highest id that a user has had. A new user has it plus their number in the plan. */
  base: number;
  /** Whether users of the plan have another email than before. */
  hasMoved: boolean;
  hasOrigins: boolean;
  isLarge: boolean;
}

/** More users than these are seconds of work. */
const manyPeople = 10_000;

async function readBefore({ dialect, prefix: s }: Stage, script: Script, org: string): Promise<Before> {
  const base = dialect === 'sqlite' ? "COALESCE((SELECT seq FROM main.sqlite_sequence WHERE name = 'users'), 0)" : '0';
  const [found] = await script.rows<Record<'mark' | 'base' | 'moved' | 'origins' | 'people', number>>(
    `SELECT COALESCE((SELECT MAX(id) FROM changes), 0) AS mark, ${base} AS base,
       (SELECT COUNT(*) FROM ${s}.people WHERE address IS NOT NULL) AS moved,
       (SELECT COUNT(*) FROM (SELECT 1 AS one FROM field_origins WHERE org_id = :org LIMIT 1) few) AS origins,
       COALESCE((SELECT MAX(n) FROM ${s}.people), 0) AS people`,
    { org },
  );
  const { mark, base: last, moved, origins, people } = found!;
  return {
    mark: Number(mark),
    base: Number(last),
    hasMoved: Number(moved) > 0,
    hasOrigins: Number(origins) > 0,
    isLarge: Number(people) > manyPeople,
  };
}

/** SQL: the id of a user of the plan. On SQLite that of a new one is not written into the plan, which would write each row again. */
function idOf({ dialect }: Pick<Stage, 'dialect'>, alias: string, base: number | ':base' = ':base'): string {
  if (dialect === 'postgres') return `${alias}.id`;
  return `CASE ${alias}.is_new WHEN 1 THEN ${alias}.n + ${base} ELSE ${alias}.id END`;
}

/** Locks the organization's row until the end of the transaction: whoever takes the run over waits for it, and finds it applied. */
async function claimVersion(script: Script, { org, runId, version, epoch, isClaimed }: Application): Promise<void> {
  const known = { org, version, epoch };
  const claim = () =>
    script.rows(
      `UPDATE org_versions SET version = version + 1
       WHERE org_id = :org AND version = :version AND fence <= :epoch RETURNING version`,
      known,
    );
  if ((await claim()).length > 0) return;
  // Its first version has no row, and neither has an organization that was removed, or is being removed: that waits for this one then.
  const added = await script.rows(
    'INSERT INTO org_versions (org_id, version) VALUES (:org, 0) ON CONFLICT (org_id) DO NOTHING RETURNING version',
    known,
  );
  if (added.length > 0 && !(await isClaimed()))
    throw new DatabaseError('fenced', `run ${runId} has ended: its organization may have been removed`);
  if ((await claim()).length > 0) return;
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

async function recordApplication(script: Script, application: Application): Promise<void> {
  const { org, runId, uploads, now, outcome } = application;
  try {
    await script.run('INSERT INTO applied_runs (run_id, org_id, at, outcome) VALUES (:runId, :org, :now, :outcome)', {
      ...{ runId, org, now, outcome: JSON.stringify(outcome) },
    });
    const ids = uploads.flatMap(({ uploadId }) => (uploadId === null ? [] : [{ upload_id: uploadId, run_id: runId }]));
    for (let from = 0; from < ids.length; from += batchRows)
      await insertRows(script, 'applied_uploads', ids.slice(from, from + batchRows));
    await recordKnown(script, application);
    await script.flush();
  } catch (cause) {
    if (isUniqueViolation(cause))
      throw new DatabaseError('duplicate', `run ${runId} or one of its files was applied before`, { cause });
    throw cause;
  }
}

/** Gives new teams their ids, and users the ids of their managers, so that the rest can refer to them. */
async function numberNew(stage: Stage, step: (sql: string) => Promise<unknown>): Promise<void> {
  const { dialect, prefix: s } = stage;
  const inDirectory = 'FROM users y WHERE y.org_id = :org AND y.email_key = people.manager_key';
  const managerId = `COALESCE((SELECT ${idOf(stage, 'x')} FROM ${s}.people x WHERE x.key = people.manager_key), (SELECT y.id ${inDirectory}))`;
  if (dialect === 'postgres') {
    // New users have theirs since they were planned. The sequence is looked up once, and not for each team.
    const next = "nextval(CAST((SELECT pg_get_serial_sequence('teams', 'id')) AS regclass))";
    // In the order of the plan: an update by itself takes the rows as they lie in the table.
    await step(
      `UPDATE ${s}.groups AS g SET id = o.id FROM
         (SELECT n, ${next} AS id FROM (SELECT n FROM ${s}.groups WHERE is_new = 1 ORDER BY n) planned) o
       WHERE g.n = o.n`,
    );
    await step(`UPDATE ${s}.people SET manager_id = ${managerId} WHERE manager_key IS NOT NULL AND is_new = 0`);
    return;
  }
  await step(
    `UPDATE ${s}.groups SET id = n + COALESCE((SELECT seq FROM main.sqlite_sequence WHERE name = 'teams'), 0) WHERE is_new = 1`,
  );
  // Where it fills a table, SQLite copies first what it reads from it: managers whom the plan leaves as they are are looked up here.
  await step(
    `UPDATE ${s}.people SET manager_id = ${managerId}
     WHERE manager_key IS NOT NULL AND (is_new = 0 OR EXISTS (SELECT 1 ${inDirectory}))`,
  );
}

function indexFew({ dialect, prefix: s }: Stage): string {
  const [index, on] = dialect === 'sqlite' ? [`${s}.people_few`, 'people'] : ['people_few', `${s}.people`];
  return `CREATE INDEX IF NOT EXISTS ${index} ON ${on} (id) WHERE is_new = 0 OR address IS NOT NULL`;
}

function statements(stage: Stage): string[] {
  const { dialect, prefix: s } = stage;
  const isPostgres = dialect === 'postgres';
  const values = `user_name, first_name, last_name, manager_id, account_type, is_admin, status, deactivation_date, deactivate_at,
    deactivated_at, deactivated_by, custom`;
  const names = values.split(',').map((name) => name.trim());
  const above = (id: string, key: string, plan: string, table: string, tableKey: string) =>
    `COALESCE((SELECT ${id} FROM ${s}.${plan} x WHERE x.key = ${key}),
      (SELECT y.id FROM ${table} y WHERE y.org_id = :org AND y.${tableKey} = ${key}))`;
  // PostgreSQL would keep the old row of each new user whose manager is written into the plan before.
  const managerId = isPostgres
    ? 'COALESCE(m.id, y.id)'
    : `COALESCE((SELECT ${idOf(stage, 'm')} FROM ${s}.people m WHERE m.key = p.manager_key), p.manager_id)`;
  const ofNew = names.map((name) => (name === 'manager_id' ? managerId : `p.${name}`)).join(', ');
  const managers = isPostgres
    ? `LEFT JOIN ${s}.people m ON m.key = p.manager_key
       LEFT JOIN users y ON m.id IS NULL AND y.org_id = :org AND y.email_key = p.manager_key`
    : '';
  // Users whose email changes are in the plan; the email of all others is their key.
  // PostgreSQL knows nothing yet of the number of new teams: as a join it would look each user up by itself.
  const pairs = (table: string) =>
    `SELECT COALESCE(${idOf(stage, 'p')}, u.id), (SELECT k.id FROM teams k WHERE k.org_id = :org AND k.name_key = j.team_key)
     FROM ${s}.${table} j LEFT JOIN ${s}.people p ON p.key = j.person_key
     LEFT JOIN users u ON p.n IS NULL AND u.org_id = :org AND u.email_key = j.person_key`;
  return [
    `INSERT INTO fields (id, org_id, label, label_key, type, position, created_at)
     SELECT id, :org, label, label_key, type, position, created_at FROM ${s}.fields`,
    // Frees each email that one user gives up and another one takes.
    `UPDATE users SET email_key = ' ' || CAST(id AS TEXT)
     WHERE id IN (SELECT p.id FROM ${s}.people p WHERE p.is_new = 0 AND p.address IS NOT NULL)`,
    `INSERT INTO users (id, org_id, email, email_key, ${values}, in_files, created_at, updated_at)
     SELECT ${idOf(stage, 'p')}, :org, p.email, COALESCE(p.address, p.key), ${ofNew}, p.in_files, CAST(:now AS BIGINT), CAST(:now AS BIGINT)
     FROM ${s}.people p ${managers} WHERE p.is_new = 1 ORDER BY p.n`,
    `INSERT INTO former_emails (org_id, email_key, user_id)
     SELECT :org, f.email_key, ${idOf(stage, 'p')} FROM ${s}.formers f JOIN ${s}.people p ON p.key = f.key WHERE 1 = 1
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
    `UPDATE ${s}.groups SET owner_id = ${above(idOf(stage, 'x'), 'groups.owner_key', 'people', 'users', 'email_key')} WHERE owner_key IS NOT NULL`,
    `UPDATE ${s}.groups SET parent_id = ${above('x.id', 'groups.parent_key', 'groups', 'teams', 'name_key')} WHERE parent_key IS NOT NULL`,
    `INSERT INTO teams (id, org_id, name, name_key, owner_id, parent_id, type, created_at, updated_at)
     SELECT id, :org, name, key, owner_id, parent_id, type, CAST(:now AS BIGINT), CAST(:now AS BIGINT)
     FROM ${s}.groups WHERE is_new = 1 ORDER BY n`,
    `UPDATE teams AS k SET owner_id = g.owner_id, parent_id = g.parent_id, type = g.type, updated_at = CAST(:now AS BIGINT)
     FROM ${s}.groups g WHERE g.id = k.id AND g.is_new = 0`,
    ...joinTeams(stage, pairs('joins')),
    `DELETE FROM memberships WHERE (user_id, team_id) IN (${pairs('leaves')})`,
  ];
}

/** @param pairs SQL: the memberships of `joins` `j` */
function joinTeams({ dialect, prefix: s }: Stage, pairs: string): string[] {
  const fill = 'INSERT INTO memberships (user_id, team_id)';
  const once = 'ON CONFLICT (user_id, team_id) DO NOTHING';
  const team = '(SELECT k.id FROM teams k WHERE k.org_id = :org AND k.name_key = j.team_key)';
  // Users whom the same rows create are found by their numbers, or need not be found.
  const ofNew =
    dialect === 'postgres'
      ? `SELECT p.id, COALESCE(g.id, ${team}) FROM ${s}.joins j JOIN ${s}.people p ON p.n = j.person LEFT JOIN ${s}.groups g ON g.key = j.team_key
         WHERE true`
      : `SELECT j.person + :base, ${team} FROM ${s}.joins j WHERE j.person IS NOT NULL`;
  return [`${fill} ${ofNew} ${once}`, `${fill} ${pairs} WHERE j.person IS NULL ${once}`];
}

/** A value that a file changes, or an undo restores, is no longer one that a person set. */
async function dropOrigins(stage: Stage, step: (sql: string) => Promise<unknown>): Promise<void> {
  const s = stage.prefix;
  await step(
    `DELETE FROM field_origins WHERE org_id = :org AND (entity, entity_id, field) IN
       (SELECT c.entity, COALESCE(${idOf(stage, 'p')}, g.id, u.id, k.id), CASE WHEN c.field = 'Status' THEN 'Deactivation Date' ELSE
          COALESCE((SELECT f.id FROM fields f WHERE c.entity = 'user' AND f.org_id = :org AND f.label = c.field), c.field) END
        FROM ${s}.changes c LEFT JOIN ${s}.people p ON c.entity = 'user' AND p.key = c.key
        LEFT JOIN ${s}.groups g ON c.entity = 'team' AND g.key = c.key
        LEFT JOIN users u ON p.n IS NULL AND c.entity = 'user' AND u.org_id = :org AND u.email_key = c.key
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

/** The uploads of more files than these are looked up in a table. */
const fewFiles = 16;

/** SQL: the upload of the file of `x`, and whether there is one. */
async function readUploads(stage: Stage, script: Script, uploads: Application['uploads']) {
  if (uploads.length > fewFiles) {
    await createTable({ ...stage, script }, 'uploads', 'file INT PRIMARY KEY, upload_id BIGINT');
    const rows = uploads.map(({ file, uploadId }) => [file, uploadId]);
    await stageRows({ ...stage, script }, 'uploads', ['file INT', 'upload_id BIGINT'], rows);
    const of = `FROM ${stage.prefix}.uploads f`;
    return { id: `(SELECT f.upload_id ${of} WHERE f.file = x.file)`, isThere: `x.file IN (SELECT f.file ${of})` };
  }
  const cases = uploads.flatMap(({ file, uploadId }) => (uploadId === null ? [] : [`WHEN ${file} THEN ${uploadId}`]));
  const id = cases.length === 0 ? 'NULL' : `CASE x.file ${cases.join(' ')} END`;
  const files = uploads.map(({ file }) => file).join(', ');
  return { id: `CAST(${id} AS BIGINT)`, isThere: uploads.length === 0 ? '1 = 0' : `x.file IN (${files})` };
}

/**
 * Records each change with its run, file, line, entity, field, before and after (rule R3); a creation with all its values.
 * @returns the changes of new users alone, if there are many.
 */
async function recordChanges(
  stage: Stage,
  { org, runId, uploads, now }: Application,
  script: Script,
  { base, hasMoved, isLarge }: Before,
): Promise<ChangeRange | null> {
  const { dialect, prefix: s } = stage;
  const isPostgres = dialect === 'postgres';
  const emailOf = (key: string) =>
    hasMoved ? `COALESCE((SELECT m.address FROM ${s}.people m WHERE m.key = ${key}), ${key})` : key;
  const person = objectOf(
    dialect,
    {
      'User Email': 'x.email',
      'User Name': 'x.user_name',
      'First Name': 'x.first_name',
      'Last Name': 'x.last_name',
      'Manager Email': emailOf('x.manager_key'),
      'User Account Type': 'x.account_type',
      'Is Org Admin': "CASE x.is_admin WHEN 1 THEN 'Yes' ELSE 'No' END",
      'Deactivation Date': 'x.deactivation_date',
      Status: 'x.status',
    },
    { custom: 'x.custom' },
  );
  const group = objectOf(dialect, {
    'Team Name': 'x.name',
    'Owner Email': emailOf('x.owner_key'),
    'Parent Team': 'x.parent_key',
    'Team Type': 'x.type',
  });
  const field = objectOf(dialect, { label: 'x.label', type: 'x.type' });
  const upload = await readUploads(stage, script, uploads);
  const record = (values: string, from: string) =>
    script.run(
      `INSERT INTO changes (org_id, run_id, upload_id, line, entity, entity_id, field, before, after, at)
       SELECT :org, CAST(:runId AS BIGINT), ${upload.id}, ${values}, CAST(:now AS BIGINT) FROM ${from}`,
      { org, runId, now, base },
    );
  const created = (entity: string, line: string, id: string, after: string) =>
    `${line}, '${entity}', CAST(${id} AS TEXT), '', NULL, ${after}`;
  const lastChange = async () =>
    Number((await script.rows<{ id: number }>('SELECT MAX(id) AS id FROM changes'))[0]!.id ?? 0);

  await record(created('field', '1', 'x.id', field), `${s}.fields x WHERE ${upload.isThere}`);
  const after = isLarge ? await lastChange() : null;
  await record(
    created('user', 'x.line', idOf(stage, 'x'), person),
    `${s}.people x WHERE ${upload.isThere} AND x.is_new = 1 ORDER BY x.n`,
  );
  const team = '(SELECT k.name FROM teams k WHERE k.org_id = :org AND k.name_key = x.team_key)';
  if (isPostgres)
    await record(
      `x.line, 'user', CAST(p.id AS TEXT), 'Teams', NULL, COALESCE(g.name, ${team})`,
      `${s}.joins x JOIN ${s}.people p ON p.n = x.person LEFT JOIN ${s}.groups g ON g.key = x.team_key
       WHERE ${upload.isThere} ORDER BY x.person`,
    );
  else
    await record(
      `x.line, 'user', CAST(x.person + :base AS TEXT), 'Teams', NULL, ${team}`,
      `${s}.joins x WHERE x.person IS NOT NULL AND ${upload.isThere}`,
    );
  const ofNew = after === null ? null : { after, upTo: await lastChange() };
  await record(
    created('team', 'x.line', 'x.id', group),
    `${s}.groups x WHERE ${upload.isThere} AND x.is_new = 1 ORDER BY x.n`,
  );
  await record(
    `x.line, x.entity, CAST(COALESCE(${idOf(stage, 'p')}, g.id, u.id, k.id) AS TEXT), x.field, x.before, x.after`,
    // SQLite reads them in the order of their files; a join of PostgreSQL in any.
    `${s}.changes x
     LEFT JOIN ${s}.people p ON x.entity = 'user' AND p.key = x.key
     LEFT JOIN ${s}.groups g ON x.entity = 'team' AND g.key = x.key
     LEFT JOIN users u ON p.n IS NULL AND x.entity = 'user' AND u.org_id = :org AND u.email_key = x.key
     LEFT JOIN teams k ON g.id IS NULL AND x.entity = 'team' AND k.org_id = :org AND k.name_key = x.key
     WHERE ${upload.isThere} ${isPostgres ? 'ORDER BY x.file' : ''}`,
  );
  return ofNew;
}

/** SQL: the text of a JSON object without its nulls. @param texts SQL by key, the first one never null. @param values SQL of the text of JSON that has no null; JSONB on PostgreSQL. */
function objectOf(
  dialect: Dialect,
  texts: Readonly<Record<string, string>>,
  values: Readonly<Record<string, string>> = {},
): string {
  if (dialect === 'postgres') {
    const text = ([key, value]: [string, string]) => `'"${key}":' || CAST(to_json(${value}) AS TEXT)`;
    const json = ([key, value]: [string, string]) => `'"${key}":' || CAST(${value} AS TEXT)`;
    // concat_ws leaves nulls out.
    return `'{' || concat_ws(',', ${[...Object.entries(texts).map(text), ...Object.entries(values).map(json)].join(', ')}) || '}'`;
  }
  // json_patch drops nulls too, but it parses the object again, which takes longer than all the rest.
  const text = ([key, value]: [string, string]) =>
    `CASE WHEN ${value} IS NULL THEN '' ELSE ',"${key}":' || json_quote(${value}) END`;
  const parts = [
    ...Object.entries(texts).map(text),
    ...Object.entries(values).map(([key, value]) => `',"${key}":' || ${value}`),
  ];
  return `'{' || substr(${parts.join(' || ')}, 2) || '}'`;
}
