/**
 * Finds whom a row is about where the organization has an identifier column (rule U15): by the identifier first, then by the
 * email. All rows of a file are looked at together, so that users may swap their emails, or pass them on, in any row order.
 *
 * While a run is planned, a user goes by one key: the email that the directory has. What a row brings as a new email stands
 * beside it as `address`. A key that begins with a space is that of a new user under an email that somebody else gives up.
 */
import { type Conflict, findClaims, findConflicts } from './claims.js';
import { analyze, count, createAs, createIndex, type PlanContext, rows, run } from './context.js';
import type { Stage } from './stage.js';

/**
 * Finds whom each row is about.
 * @param fieldId the field of the identifier; null: the file has no column for it, and its emails tell.
 * @returns false: nobody has ever given an email up, and emails mean what they say.
 */
export async function claimUsers(stage: Stage, context: PlanContext, fieldId: string | null): Promise<boolean> {
  if (fieldId === null && !(await hasFormers(stage, context))) return false;
  const s = stage.prefix;
  await run(
    stage,
    stage.dialect === 'sqlite'
      ? `CREATE INDEX IF NOT EXISTS ${s}.people_address ON people (address)`
      : `CREATE INDEX IF NOT EXISTS people_address ON ${s}.people (address)`,
  );
  await findClaims(stage, context, fieldId);
  return true;
}

/** Whether some email means another user after the run than before it; once the rows' users are claimed. */
export async function passesEmails(stage: Stage): Promise<boolean> {
  const s = stage.prefix;
  const passed = await count(
    stage,
    `SELECT (SELECT COUNT(*) FROM ${s}.claims WHERE moves = 1 OR (ident IS NOT NULL AND holder IS NULL AND former IS NOT NULL))
       + (SELECT COUNT(*) FROM ${s}.people WHERE address IS NOT NULL) + (SELECT COUNT(*) FROM ${s}.formers) AS n`,
  );
  return passed > 0;
}

/** Whether a row that is faulty already has another user's identifier, whose own row may be faulty then; as passesEmails. */
export async function repeatsIdentifier(stage: Stage): Promise<boolean> {
  const s = stage.prefix;
  const repeated = await count(
    stage,
    `SELECT COUNT(*) AS n FROM ${s}.user_rows r CROSS JOIN ${s}.idents i
     WHERE r.state = 2 AND i.ident = r.ident AND i.key <> r.key`,
  );
  return repeated > 0;
}

/** Makes `key` of the rows the keys of the plan, and yields the rows that are faulty; once their users are claimed. */
export async function* resolveIdentity(stage: Stage, context: PlanContext): AsyncGenerator<Conflict[]> {
  yield* findConflicts(stage);
  await takeKeys(stage, context);
}

/** Makes `manager_key` of the rows the keys of the plan: for rows that are resolved, of a file that is not refused. */
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

/** `Owner Email` means whoever has that email, else who had it last. */
export async function followOwners(stage: Stage, { org }: PlanContext): Promise<void> {
  const s = stage.prefix;
  await run(
    stage,
    `UPDATE ${s}.team_rows AS r SET owner_key = ${formerHolderOf(s, 'r.owner_key')}
     WHERE r.state = 0 AND ${isFormer(s, 'r.owner_key')} AND ${holderOf(s, 'r.owner_key')} IS NULL`,
    { org },
  );
}

/** The key of who has the email, as far as the run is planned, else of who had it last; as it is where nobody had it. */
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

async function hasFormers(stage: Stage, { org }: PlanContext): Promise<boolean> {
  const formers = await count(
    stage,
    `SELECT (SELECT COUNT(*) FROM ${stage.prefix}.formers)
       + (SELECT COUNT(*) FROM (SELECT 1 AS one FROM former_emails WHERE org_id = :org LIMIT 1) f) AS n`,
    { org },
  );
  return formers > 0;
}

/** Gives each row the key of the user whom it is about. */
async function takeKeys(stage: Stage, { org, file }: PlanContext): Promise<void> {
  const s = stage.prefix;
  const isTaken = `(EXISTS (SELECT 1 FROM users u WHERE u.org_id = :org AND u.email_key = c.address)
    OR EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = c.address))`;
  await run(
    stage,
    `UPDATE ${s}.user_rows AS r SET address = c.address, moves = c.moves,
       key = COALESCE(c.target, CASE WHEN ${isTaken} THEN :fresh || c.address ELSE c.address END)
     FROM ${s}.claims c WHERE c.line = r.line AND r.state = 0 AND (c.moves = 1 OR c.target IS DISTINCT FROM c.address)
       AND (c.target IS NOT NULL OR ${isTaken})`,
    { org, fresh: freshPrefix(file) },
  );
  await analyze(stage, 'user_rows');
}

/** A new user whose email is the key of somebody else; no email begins with a space. */
function freshPrefix(file: number): string {
  return ` ${file} `;
}

/** Whom an earlier file of the run only named, under the email that a known user has from now on, is that user. */
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

/** Which emails the file's users give up, and who does. */
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
 * `Manager Email` means who has that email once the file is applied; else who had it last. Without renames in the run only
 * former emails can mean somebody else than they say.
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

/** Whether somebody has given an email up, in this run or before; they may have it again. */
function isFormer(s: string, email: string): string {
  return `(${email} IN (SELECT f.email_key FROM former_emails f WHERE f.org_id = :org)
    OR ${email} IN (SELECT f.email_key FROM ${s}.formers f))`;
}

/** The key of who gave an email up last, in this run or before; null: nobody did. */
export function formerHolderOf(s: string, email: string): string {
  return `COALESCE((SELECT f.key FROM ${s}.formers f WHERE f.email_key = ${email}),
    (SELECT u.email_key FROM former_emails f JOIN users u ON u.id = f.user_id
      WHERE f.org_id = :org AND f.email_key = ${email}))`;
}

/** The key of who has an email as far as the run is planned; null: nobody. */
export function holderOf(s: string, email: string): string {
  return `COALESCE((SELECT p.key FROM ${s}.people p WHERE p.address = ${email}),
    (SELECT p.key FROM ${s}.people p WHERE p.key = ${email} AND p.address IS NULL),
    (SELECT u.email_key FROM users u WHERE u.org_id = :org AND u.email_key = ${email}
      AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = u.email_key)))`;
}
