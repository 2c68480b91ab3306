/**
 * Finds the user who has an email in the plan, or had it last, where users of the organization have given emails up (rule U15).
 * A user's key is their email in the directory; `address` is the new email that the run gives them.
 */
import type { Stage } from '../../db/stage.js';
import { count, createAs, createIndex, rows, run } from '../../db/stagesql.js';
import type { PlanContext } from './context.js';

/** Replaces the emails in `manager_key` of the rows by the keys of the users who have them once the file is applied. */
export async function followManagers(stage: Stage, context: PlanContext): Promise<void> {
  const s = stage.prefix;
  const inFile = await count(stage, `SELECT COUNT(*) AS n FROM ${s}.user_rows WHERE address IS NOT NULL`);
  if (inFile > 0) {
    await absorbStubs(stage);
    await keepFormers(stage);
  }
  if (!(await hasFormers(stage, context))) return;
  const inRun = await count(stage, `SELECT COUNT(*) AS n FROM ${s}.people WHERE address IS NOT NULL`);
  await createIndex(stage, 'user_rows', 'address');
  await takeManagers(stage, context, inFile + inRun > 0);
}

/** Replaces an email in `owner_key` of the rows that no user has by the key of the user who had it last. */
export async function followOwners(stage: Stage, { org }: PlanContext): Promise<void> {
  const s = stage.prefix;
  await run(
    stage,
    `UPDATE ${s}.team_rows AS r SET owner_key = ${formerHolderOf(s, 'r.owner_key')}
     WHERE r.state = 0 AND ${isFormer(s, 'r.owner_key')} AND ${holderOf(s, 'r.owner_key')} IS NULL`,
    { org },
  );
}

/** The key of the user who has the email in the plan, or had it last; the email itself where there is no such user. */
export async function followEmail(stage: Stage, { org }: PlanContext, email: string): Promise<string> {
  const s = stage.prefix;
  const named = 'CAST(:email AS TEXT)';
  const [found] = await rows<{ key: string }>(
    stage,
    `SELECT COALESCE(${holderOf(s, named)}, ${formerHolderOf(s, named)}, ${named}) AS key`,
    { org, email },
  );
  return found!.key;
}

/** Whether a user has given an email up, in this run or before. */
export async function hasFormers(stage: Stage, { org }: PlanContext): Promise<boolean> {
  const formers = await count(
    stage,
    `SELECT (SELECT COUNT(*) FROM ${stage.prefix}.formers)
       + (SELECT COUNT(*) FROM (SELECT 1 AS one FROM former_emails WHERE org_id = :org LIMIT 1) f) AS n`,
    { org },
  );
  return formers > 0;
}

/** Merges the stub that an earlier file of the run created for an email into the known user who gets that email. */
async function absorbStubs(stage: Stage): Promise<void> {
  const s = stage.prefix;
  const become = (key: string) =>
    `(SELECT r.key FROM ${s}.user_rows r WHERE r.moves = 1 AND r.address = ${key} AND r.state = 0)`;
  const stubs = `SELECT p.key FROM ${s}.people p WHERE p.is_new = 1 AND p.is_stub = 1 AND ${become('p.key')} IS NOT NULL`;
  await run(
    stage,
    `UPDATE ${s}.people AS q SET manager_key = ${become('q.manager_key')} WHERE q.manager_key IN (${stubs})`,
  );
  await run(stage, `UPDATE ${s}.groups AS g SET owner_key = ${become('g.owner_key')} WHERE g.owner_key IN (${stubs})`);
  await run(stage, `DELETE FROM ${s}.people WHERE key IN (${stubs})`);
}

/** Writes into `formers` the emails that users of the file give up. */
async function keepFormers(stage: Stage): Promise<void> {
  const s = stage.prefix;
  await run(
    stage,
    `INSERT INTO ${s}.formers (email_key, key) SELECT COALESCE(p.address, r.key), r.key
     FROM ${s}.user_rows r LEFT JOIN ${s}.people p ON p.key = r.key WHERE r.state = 0 AND r.moves = 1
     ON CONFLICT (email_key) DO UPDATE SET key = excluded.key`,
  );
}

/**
 * `Manager Email` is the user who has that email once the file is applied, or else had it last. Without renames in the run, only
 * a former email can be another user's.
 */
async function takeManagers(stage: Stage, { org }: PlanContext, hasRenames: boolean): Promise<void> {
  const s = stage.prefix;
  const named = 'r.manager_key';
  const inFile = `(SELECT x.key FROM ${s}.user_rows x WHERE x.state = 0 AND x.address = ${named})`;
  const unmoved = `(SELECT x.key FROM ${s}.user_rows x WHERE x.state = 0 AND x.key = ${named} AND x.address IS NULL)`;
  await createAs(
    stage,
    'followed',
    `SELECT r.line AS line, COALESCE(${inFile}, ${unmoved}, ${holderOf(s, named)}, ${formerHolderOf(s, named)}) AS key
     FROM ${s}.user_rows r WHERE r.state = 0 AND ${hasRenames ? `${named} IS NOT NULL` : isFormer(s, named)}`,
    { org },
  );
  await createIndex(stage, 'followed', 'line');
  await run(
    stage,
    `UPDATE ${s}.user_rows AS r SET manager_key = f.key FROM ${s}.followed f
     WHERE f.line = r.line AND f.key IS NOT NULL AND f.key <> r.manager_key`,
  );
}

/** A condition: a user has given the email up, in this run or before. That user may have it again. */
function isFormer(s: string, email: string): string {
  return `(${email} IN (SELECT f.email_key FROM former_emails f WHERE f.org_id = :org)
    OR ${email} IN (SELECT f.email_key FROM ${s}.formers f))`;
}

/** SQL: the key of the user who gave the email up last, in this run or before; null: there is none. @param s the stage's prefix. */
export function formerHolderOf(s: string, email: string): string {
  return `COALESCE((SELECT f.key FROM ${s}.formers f WHERE f.email_key = ${email}),
    (SELECT u.email_key FROM former_emails f JOIN users u ON u.id = f.user_id
      WHERE f.org_id = :org AND f.email_key = ${email}))`;
}

/** SQL: the key of the user who has the email in the plan; null: there is none. @param s the stage's prefix. */
export function holderOf(s: string, email: string): string {
  return `COALESCE((SELECT p.key FROM ${s}.people p WHERE p.address = ${email}),
    (SELECT p.key FROM ${s}.people p WHERE p.key = ${email} AND p.address IS NULL),
    (SELECT u.email_key FROM users u WHERE u.org_id = :org AND u.email_key = ${email}
      AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = u.email_key)))`;
}
