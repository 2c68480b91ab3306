/**
 * Finds the user of each row where the organization has an identifier column (rule U15): by the identifier, then by the email. All
 * rows of a file are looked at together, so that users may swap their emails, or pass them on, in any row order.
 *
 * While a run is planned, a user has one key: their email in the directory. A new email is kept beside it as `address`. A key that
 * begins with a space is that of a new user whose email another user gives up.
 */
import type { Stage } from '../../db/stage.js';
import { analyze, count, run } from '../../db/stagesql.js';
import { type CodeName, makeIssue, shorten } from '../codes.js';
import { quote, quoteName } from '../outside.js';
import { RaggedError } from '../read/records.js';
import { type Conflict, findClaims, findConflicts } from './claims.js';
import { nameLines, type PlanContext } from './context.js';
import { hasFormers } from './emailholders.js';
import type { PlanInput, StagedFile } from './input.js';
import type { IssueLog } from './issuelog.js';

const conflictCodes: Record<Conflict['kind'], CodeName> = {
  twice: 'identifier_twice',
  shared: 'identifier_shared',
  taken: 'identifier_conflict',
  needed: 'identifier_needed',
};

/**
 * Sets `key`, `address` and `moves` of the rows in `user_rows`, and reports the rows that contradict each other.
 * @returns whether an email belongs to another user after the run than before it.
 * @throws RaggedError where rows were left out on which others depend.
 */
export async function identifyUsers(
  { stage, org }: PlanInput,
  { context, columns: { identifier }, reading }: StagedFile,
  issues: IssueLog,
): Promise<boolean> {
  if (!(await claimUsers(stage, context, identifier?.field.id ?? null))) return false;
  const isPassed = await passesEmails(stage);
  // The manager whom a row that was left out names may be another user then; or its identifier is in the file twice.
  if (reading.recognized > 0 && (isPassed || (await repeatsIdentifier(stage))))
    throw new RaggedError('rows depend on those that were left out');
  const label = identifier?.label ?? org.options.identifier!;
  for await (const page of findConflicts(stage, context))
    await issues.addPage(page, (conflict) => {
      const { line, value, others, kind } = conflict;
      const details = { label, lines: nameOthers(kind, others), facts: describeConflict(conflict, shorten(label)) };
      return makeIssue(conflictCodes[kind], { line, column: label, value }, details);
    });
  await takeKeys(stage, context);
  return isPassed;
}

/** Which users have the identifier and the email of the row. */
function describeConflict({ value, owner, holder }: Conflict, label: string): string {
  const name = quote(label);
  const whose = holder === null ? `a user without ${name}` : `the user with ${quoteName(shorten(holder))}`;
  const ident = quoteName(shorten(value ?? ''));
  if (owner === null) return `No user has the ${name} ${ident}; the email belongs to ${whose}.`;
  return `The user with the ${name} ${ident} has the email ${shorten(owner)}; the email of this row belongs to ${whose}.`;
}

function nameOthers(kind: Conflict['kind'], lines: readonly number[]): string {
  if (lines.length === 0) return '';
  return kind === 'needed' ? ` (${nameLines(lines)})` : nameLines(lines);
}

/**
 * Finds the user of each row.
 * @param fieldId the field of the identifier; null: the file has no column for it, and emails alone identify users.
 * @returns false where no user has given an email up: each row's user is the one with its email.
 */
async function claimUsers(stage: Stage, context: PlanContext, fieldId: string | null): Promise<boolean> {
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

/** Whether an email belongs to another user after the run than before it. Call after claimUsers. */
async function passesEmails(stage: Stage): Promise<boolean> {
  const s = stage.prefix;
  const passed = await count(
    stage,
    `SELECT (SELECT COUNT(*) FROM ${s}.claims WHERE moves = 1 OR (ident IS NOT NULL AND holder IS NULL AND former IS NOT NULL))
       + (SELECT COUNT(*) FROM ${s}.people WHERE address IS NOT NULL) + (SELECT COUNT(*) FROM ${s}.formers) AS n`,
  );
  return passed > 0;
}

/** Whether a row that is faulty already has the identifier of another user, so that that user's row may be faulty too. */
async function repeatsIdentifier(stage: Stage): Promise<boolean> {
  const s = stage.prefix;
  const repeated = await count(
    stage,
    `SELECT COUNT(*) AS n FROM ${s}.user_rows r CROSS JOIN ${s}.idents i
     WHERE r.state = 2 AND i.ident = r.ident AND i.key <> r.key`,
  );
  return repeated > 0;
}

/** Sets `key` of each row to the key of its user in the plan. */
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

/** Begins the key of a new user whose email is the key of another user; no email begins with a space. */
function freshPrefix(file: number): string {
  return ` ${file} `;
}
