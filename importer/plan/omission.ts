/**
 * For an organization that deactivates users who are missing from full files (`omission=deactivate-after:3`, rule U3a): counts
 * the full files in a row that lack a user, reports each, and plans the deactivation. The full files of one run count as one.
 */
import { createHash } from 'node:crypto';
import type { Org } from '../../db/control/orgs.js';
import type { Stage } from '../../db/stage.js';
import { count, createAs, createIndex, rows, run } from '../../db/stagesql.js';
import { makeIssue } from '../codes.js';
import { digestOf, type KnownRows } from '../read/knownrowfilter.js';
import { emailKey } from '../read/normalize.js';
import type { Source } from '../read/source.js';
import { contextOf } from './context.js';
import { followEmail } from './emailholders.js';
import type { PlanInput } from './input.js';
import { IssueLimit, stageIssues } from './issuelog.js';
import type { PlannedFile } from './planfile.js';

const label = 'User Email';
const pageRows = 2000;

/** The number of full files in a row after which a missing user is deactivated; null: absence means nothing. */
export function filesBeforeOmission({ options }: Pick<Org, 'options'>): number | null {
  const [, files] = /^deactivate-after:(\d+)$/.exec(options.omission ?? '') ?? [];
  return files === undefined ? null : Number(files);
}

/** Adds the users of the file's rows, faulty ones too, to the users whom the full files of the run have. */
export function notePresent(stage: Stage): Promise<void> {
  const s = stage.prefix;
  return run(
    stage,
    `INSERT INTO ${s}.present (key) SELECT DISTINCT r.key FROM ${s}.user_rows r WHERE true ON CONFLICT (key) DO NOTHING`,
  );
}

/** Call once all files of the run are planned. Adds to their counts. */
export async function planOmission(
  input: PlanInput,
  sources: readonly Source[],
  planned: readonly PlannedFile[],
): Promise<void> {
  const limit = filesBeforeOmission(input.org);
  const full = sources.flatMap(({ isFull }, file) =>
    isFull === true && planned[file]!.type !== 'teams' ? [file] : [],
  );
  if (limit === null || full.length === 0) return;
  const { stage, org, today } = input;
  await resetPresent(stage, org.id);
  const isWhole = full.every((file) => {
    const { refusal, type, rows: count, users } = planned[file]!;
    return refusal === null && type === 'users' && count > 0 && users.faults === 0;
  });
  if (!isWhole || !(await noteFull(stage, org.id, digestSources(full.map((file) => sources[file]!)), today))) return;
  const file = full.at(-1)!;
  await findAbsent(input, limit);
  await deactivateAbsent(input, file);
  await tellAbsent(input, file, limit);
  const left = await count(stage, `SELECT COUNT(*) AS n FROM ${stage.prefix}.absent WHERE fate = 'deactivated'`);
  planned[file]!.users.deactivated += left;
  planned[file]!.users.updated += left;
  await forgetAbsent(stage, input.known);
}

/** Users whom this run deactivates because full files lack them, and the active users whom files describe. */
export async function countOmitted(stage: Stage, org: string): Promise<{ omitted: number; described: number }> {
  const s = stage.prefix;
  const omitted = await count(
    stage,
    `SELECT COUNT(*) AS n FROM ${s}.people p JOIN users u ON u.id = p.id
     WHERE u.status = 'active' AND p.status = 'deactivated' AND p.deactivated_by = 'absence'`,
  );
  const described =
    omitted === 0
      ? 0
      : await count(
          stage,
          "SELECT COUNT(*) AS n FROM users WHERE org_id = :org AND status = 'active' AND in_files IS NOT NULL",
          { org },
        );
  return { omitted, described };
}

/** An undo lowers the counts that the run has raised, and lets its full files count again. */
export async function undoOmission(stage: Stage, org: string, undoes: number): Promise<void> {
  const s = stage.prefix;
  await run(
    stage,
    `INSERT INTO ${s}.absences (id, key, missed) SELECT u.id, u.email_key, u.missed_files - 1 FROM omissions o
     JOIN users u ON u.id = o.user_id WHERE o.run_id = :undoes AND u.org_id = :org AND u.missed_files > 0`,
    { org, undoes },
  );
  await run(
    stage,
    `INSERT INTO ${s}.fulls (digest, day) SELECT 'undone', day FROM full_files WHERE org_id = :org AND run_id = :undoes`,
    { org, undoes },
  );
}

function digestSources(sources: readonly Source[]): string {
  const digests = sources.map(({ sha256 }) => sha256).sort();
  return createHash('sha256').update(digests.join('\n')).digest('hex');
}

/** Files that have a user, sound or not, begin the user's count anew. */
function resetPresent(stage: Stage, org: string): Promise<void> {
  const s = stage.prefix;
  return run(
    stage,
    `INSERT INTO ${s}.absences (id, key, missed) SELECT u.id, u.email_key, 0 FROM users u
     WHERE u.org_id = :org AND u.missed_files > 0 AND u.email_key IN (SELECT key FROM ${s}.present)`,
    { org },
  );
}

/** false: the same files were counted today already, so that sending them again changes nothing (rule R2). */
async function noteFull(stage: Stage, org: string, digest: string, day: string): Promise<boolean> {
  const counted = await stage.db('full_files').where({ org_id: org, digest, day }).first();
  if (counted !== undefined) return false;
  await run(stage, `INSERT INTO ${stage.prefix}.fulls (digest, day) VALUES (:digest, :day)`, { digest, day });
  return true;
}

/** Writes `absent`: active users who came from files, and are in none of the full files. */
async function findAbsent(input: PlanInput, limit: number): Promise<void> {
  const { stage, org, now, today } = input;
  const s = stage.prefix;
  const owner = await followEmail(stage, contextOf(org, 0, today, now), emailKey(org.ownerEmail));
  const isActive = (alias: string) => `${alias}.status = 'active'`;
  const replaced = (plan: string, key: string) => `EXISTS (SELECT 1 FROM ${s}.${plan} x WHERE x.key = ${key})`;
  // A user whom no row ever described has no row to be missing; they are in use while anyone names them.
  const isNamed = `(u.id IN (SELECT o.manager_id FROM users o WHERE o.org_id = :org AND o.manager_id IS NOT NULL
      AND ${isActive('o')} AND NOT ${replaced('people', 'o.email_key')})
    OR u.email_key IN (SELECT o.manager_key FROM ${s}.people o WHERE o.manager_key IS NOT NULL AND ${isActive('o')})
    OR u.id IN (SELECT k.owner_id FROM teams k WHERE k.org_id = :org AND k.owner_id IS NOT NULL
      AND NOT ${replaced('groups', 'k.name_key')})
    OR u.email_key IN (SELECT g.owner_key FROM ${s}.groups g WHERE g.owner_key IS NOT NULL))`;
  // A status that a person set is theirs, where people own it.
  const isOwned = org.options.fieldOwners?.['Deactivation Date'] === 'people';
  const isKept = isOwned
    ? `EXISTS (SELECT 1 FROM field_origins f WHERE f.entity = 'user' AND f.entity_id = u.id AND f.field = 'Deactivation Date')`
    : '1 = 0';
  await createAs(
    stage,
    'absent',
    `SELECT ROW_NUMBER() OVER (ORDER BY u.email_key) AS n, u.id AS id, u.email_key AS key, u.email AS email,
       u.missed_files + 1 AS missed, u.is_admin AS is_admin,
       CASE WHEN u.missed_files + 1 < ${limit} THEN 'counted' WHEN ${isKept} THEN 'kept' ELSE 'deactivated' END AS fate
     FROM users u LEFT JOIN ${s}.people p ON p.key = u.email_key
     WHERE u.org_id = :org AND ${isActive('u')} AND (p.key IS NULL OR ${isActive('p')}) AND u.in_files IS NOT NULL
       AND u.email_key <> :owner AND NOT EXISTS (SELECT 1 FROM ${s}.present f WHERE f.key = u.email_key)
       AND (u.in_files = 'row' OR NOT ${isNamed})`,
    { org: org.id, owner },
  );
  await createIndex(stage, 'absent', 'key');
  await keepAdmins(stage, org.id);
  await run(
    stage,
    `INSERT INTO ${s}.absences (id, key, missed, is_raised)
     SELECT id, key, CASE fate WHEN 'deactivated' THEN 0 ELSE missed END, CASE fate WHEN 'deactivated' THEN 0 ELSE 1 END
     FROM ${s}.absent`,
  );
}

/** Where no lasting admin would be left, absence deactivates no admin (rule U10). */
async function keepAdmins(stage: Stage, org: string): Promise<void> {
  const s = stage.prefix;
  const lasting = (alias: string) =>
    `${alias}.is_admin = 1 AND ${alias}.status = 'active' AND ${alias}.deactivate_at IS NULL
     AND NOT EXISTS (SELECT 1 FROM ${s}.absent a WHERE a.key = ${alias === 'u' ? 'u.email_key' : 'p.key'} AND a.fate = 'deactivated')`;
  const left =
    (await count(stage, `SELECT COUNT(*) AS n FROM ${s}.people p WHERE ${lasting('p')}`)) +
    (await count(
      stage,
      `SELECT COUNT(*) AS n FROM users u WHERE u.org_id = :org AND ${lasting('u')}
         AND NOT EXISTS (SELECT 1 FROM ${s}.people q WHERE q.key = u.email_key)`,
      { org },
    ));
  if (left === 0) await run(stage, `UPDATE ${s}.absent SET fate = 'kept' WHERE fate = 'deactivated' AND is_admin = 1`);
}

async function deactivateAbsent({ stage, now }: PlanInput, file: number): Promise<void> {
  const s = stage.prefix;
  const leaves = `SELECT a.key FROM ${s}.absent a WHERE a.fate = 'deactivated'`;
  await run(
    stage,
    `INSERT INTO ${s}.people (key, id, email, user_name, first_name, last_name, manager_key, manager_id, account_type, is_admin,
       status, deactivation_date, deactivate_at, deactivated_at, deactivated_by, custom, is_new, is_stub, file)
     SELECT u.email_key, u.id, u.email, u.user_name, u.first_name, u.last_name, m.email_key, u.manager_id, u.account_type,
       u.is_admin, u.status, u.deactivation_date, u.deactivate_at, u.deactivated_at, u.deactivated_by, u.custom, 0, 0, :file
     FROM ${s}.absent a JOIN users u ON u.id = a.id LEFT JOIN users m ON m.id = u.manager_id
     WHERE a.fate = 'deactivated' AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = a.key)`,
    { file },
  );
  await run(
    stage,
    `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
     SELECT :file, NULL, 'user', a.key, 'Status', 'active', 'deactivated' FROM ${s}.absent a WHERE a.fate = 'deactivated' ORDER BY a.n`,
    { file },
  );
  // A later file with these users gives them their date again.
  await run(
    stage,
    `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
     SELECT :file, NULL, 'user', p.key, 'Deactivation Date', p.deactivation_date, NULL FROM ${s}.people p
     WHERE p.key IN (${leaves}) AND p.deactivation_date IS NOT NULL`,
    { file },
  );
  await run(
    stage,
    `UPDATE ${s}.people SET status = 'deactivated', deactivation_date = NULL, deactivate_at = NULL, deactivated_at = CAST(:now AS BIGINT),
       deactivated_by = 'absence' WHERE key IN (${leaves})`,
    { now },
  );
}

const codes = { counted: 'omission_counted', deactivated: 'omission_deactivated', kept: 'omission_kept' } as const;

/** `1 full file`, `3 full files`. */
function nameFiles(count: number): string {
  return count === 1 ? '1 full file' : `${count} full files`;
}

async function tellAbsent({ stage, settings }: PlanInput, file: number, limit: number): Promise<void> {
  const issueLimit = new IssueLimit(settings);
  for (let after = 0; ; ) {
    const page = await rows<{ n: number; email: string; missed: number; fate: keyof typeof codes }>(
      stage,
      `SELECT n, email, missed, fate FROM ${stage.prefix}.absent WHERE n > :after ORDER BY n LIMIT :limit`,
      { after, limit: pageRows },
    );
    if (page.length === 0) return;
    await stageIssues(
      stage,
      page.map(({ email, missed, fate }) => ({
        file,
        ...issueLimit.apply(
          makeIssue(
            codes[fate],
            { line: null, column: label, value: email },
            { missed: nameFiles(missed), limit: nameFiles(limit) },
          ),
        ),
      })),
    );
    after = Number(page.at(-1)!.n);
  }
}

/** The same row in a later file must bring them back. */
async function forgetAbsent(stage: Stage, known: KnownRows): Promise<void> {
  for (let after = 0; ; ) {
    const page = await rows<{ n: number; email: string }>(
      stage,
      `SELECT n, email FROM ${stage.prefix}.absent WHERE fate = 'deactivated' AND n > :after ORDER BY n LIMIT :limit`,
      { after, limit: pageRows },
    );
    if (page.length === 0) return;
    for (const { email } of page) known.forgetUser(digestOf(emailKey(email)));
    after = Number(page.at(-1)!.n);
  }
}
