/**
 * Plans the undo of a run from the record of changes, into the tables of an import's plan. A value that was changed after the run
 * is left unchanged. Nothing is removed: a user whom the run created is deactivated, a team is left.
 */
import type { Stage } from '../../db/stage.js';
import { rows, run } from '../../db/stagesql.js';
import type { PlanContext } from './context.js';
import { undoOmission } from './omission.js';
import { findReversals, gatherReversed } from './reversals.js';
import { dropRings } from './ringedges.js';
import { isAdminLeft, takeBackDeactivations, takeBackEmails, takeBackMemberships } from './undovalues.js';

/** A column of users or teams, its form in the record of changes, and the column of the id that belongs to its key. */
interface Plain {
  label: string;
  column: string;
  shown?: (column: string) => string;
  id?: string;
}

const userColumns: readonly Plain[] = [
  { label: 'User Name', column: 'user_name' },
  { label: 'First Name', column: 'first_name' },
  { label: 'Last Name', column: 'last_name' },
  { label: 'Manager Email', column: 'manager_key', id: 'manager_id' },
  { label: 'User Account Type', column: 'account_type' },
  { label: 'Is Org Admin', column: 'is_admin', shown: (column) => `CASE ${column} WHEN 1 THEN 'Yes' ELSE 'No' END` },
];
const teamColumns: readonly Plain[] = [
  { label: 'Owner Email', column: 'owner_key', id: 'owner_id' },
  { label: 'Parent Team', column: 'parent_key', id: 'parent_id' },
  { label: 'Team Type', column: 'type' },
];
/** Fields of users that undovalues.ts restores. */
const special = ['User Email', 'Teams', 'Status', 'Deactivation Date'];

export interface UndoOutcome {
  users: number;
  teams: number;
  deactivated: number;
  /** Values that are restored. */
  restored: number;
  /** Values that are left unchanged. */
  kept: number;
}

/**
 * @param undoes the run that is undone.
 * @param keyOf the compared form of an email.
 * @returns null when the undo would leave the organization without an admin.
 */
export async function planUndo(
  stage: Stage,
  context: PlanContext,
  undoes: number,
  keyOf: (email: string) => string,
): Promise<UndoOutcome | null> {
  const s = stage.prefix;
  await findReversals(stage, context.org, undoes);
  await gatherReversed(stage, context.org);
  await takeBackEmails(stage, context.org, keyOf);
  for (const plain of userColumns) await takeBack(stage, context.org, 'people', 'user', plain);
  for (const plain of teamColumns) await takeBack(stage, context.org, 'groups', 'team', plain);
  await takeBackCustom(stage, context.org);
  await takeBackMemberships(stage, context.org);
  await takeBackDeactivations(stage, context, undoes);
  await undoOmission(stage, context.org, undoes);
  for await (const _ of dropRings(stage, ringsOf(stage, 'people', 'manager', 'Manager Email', 'user'), context));
  for await (const _ of dropRings(stage, ringsOf(stage, 'groups', 'parent', 'Parent Team', 'team'), context));
  await run(
    stage,
    `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
     SELECT 0, NULL, r.entity, r.key, r.field, r.after,
       CASE WHEN r.field = CASE r.entity WHEN 'user' THEN 'Manager Email' ELSE 'Owner Email' END THEN r.item ELSE r.before END FROM ${s}.reversals r WHERE r.fate = 'back' ORDER BY r.n`,
  );
  if (!(await isAdminLeft(stage, context.org))) return null;
  const [counts] = await rows<UndoOutcome>(
    stage,
    `SELECT (SELECT COUNT(DISTINCT key) FROM ${s}.reversals WHERE entity = 'user' AND fate = 'back') AS users,
       (SELECT COUNT(DISTINCT key) FROM ${s}.reversals WHERE entity = 'team' AND fate = 'back') AS teams,
       (SELECT COUNT(*) FROM ${s}.reversals WHERE field = 'Status' AND before = 'deactivated' AND fate = 'back') AS deactivated,
       (SELECT COUNT(*) FROM ${s}.reversals WHERE fate = 'back') AS restored,
       (SELECT COUNT(*) FROM ${s}.reversals WHERE fate <> 'back') AS kept`,
  );
  return counts!;
}

async function takeBack(
  stage: Stage,
  org: string,
  plan: 'people' | 'groups',
  entity: 'user' | 'team',
  { label, column, id, shown = (name) => name }: Plain,
): Promise<void> {
  const s = stage.prefix;
  // The user who had the email before the run, also where the run changed it.
  const meant = `COALESCE((SELECT w.key FROM ${s}.addresses a JOIN ${s}.reversals e ON e.n = a.n JOIN ${s}.people w ON w.id = e.id
    WHERE a.address = r.before), r.before)`;
  const known = column.endsWith('parent_key')
    ? `EXISTS (SELECT 1 FROM teams k WHERE k.org_id = :org AND k.name_key = r.before)`
    : `EXISTS (SELECT 1 FROM users u WHERE u.org_id = :org AND u.email_key = ${meant})`;
  const isThere = id === undefined ? '1 = 1' : `(r.before IS NULL OR ${known})`;
  await run(
    stage,
    `UPDATE ${s}.reversals AS r SET fate = CASE WHEN ${shown(`p.${column}`)} IS DISTINCT FROM r.after THEN 'changed'
       WHEN ${isThere} THEN 'back' ELSE 'gone' END
     FROM ${s}.${plan} p WHERE p.id = r.id AND r.entity = '${entity}' AND r.field = :label AND r.fate IS NULL`,
    { label, org },
  );
  const values: Record<string, string> = {
    is_admin: `CASE r.before WHEN 'Yes' THEN 1 ELSE 0 END`,
    manager_key: meant,
    owner_key: meant,
  };
  const value = values[column] ?? 'r.before';
  // The plan names users by their keys, and so do its changes.
  if (value === meant)
    await run(stage, `UPDATE ${s}.reversals AS r SET item = ${meant} WHERE r.field = :label AND r.fate = 'back'`, {
      label,
    });
  await run(
    stage,
    `UPDATE ${s}.${plan} AS p SET ${column} = ${value}${id === undefined ? '' : `, ${id} = NULL`} FROM ${s}.reversals r
     WHERE r.id = p.id AND r.entity = '${entity}' AND r.field = :label AND r.fate = 'back'`,
    { label },
  );
}

/** One field after the other: several values of one user can't be set by one statement. */
async function takeBackCustom(stage: Stage, org: string): Promise<void> {
  const s = stage.prefix;
  const labels = await rows<{ label: string; id: string | null }>(
    stage,
    `SELECT named.field AS label, COALESCE((SELECT f.id FROM fields f WHERE f.org_id = :org AND f.label = named.field),
       (SELECT f.id FROM changes l JOIN fields f ON f.id = l.entity_id AND f.org_id = :org
        WHERE l.entity = 'field' AND l.field = 'Label' AND l.before = named.field ORDER BY l.id DESC LIMIT 1)) AS id
     FROM (SELECT DISTINCT field FROM ${s}.reversals WHERE entity = 'user' AND field <> '') named`,
    { org },
  );
  const standard = [...userColumns.map(({ label }) => label), ...special];
  const changed =
    stage.dialect === 'sqlite'
      ? 'json_patch(p.custom, json_object(:id, r.before))'
      : `CASE WHEN r.before IS NULL THEN p.custom - CAST(:id AS TEXT)
          ELSE p.custom || jsonb_build_object(CAST(:id AS TEXT), r.before) END`;
  for (const { label, id } of labels) {
    if (standard.includes(label)) continue;
    const whose = `FROM ${s}.people p WHERE p.id = r.id AND r.entity = 'user' AND r.field = :label AND r.fate IS NULL`;
    if (id === null) {
      await run(stage, `UPDATE ${s}.reversals AS r SET fate = 'gone' ${whose}`, { label });
      continue;
    }
    // A change under another label of the field is a later change too.
    const names = `SELECT l.before FROM changes l WHERE l.entity = 'field' AND l.entity_id = :id AND l.field = 'Label'
      UNION SELECT l.after FROM changes l WHERE l.entity = 'field' AND l.entity_id = :id AND l.field = 'Label'`;
    await run(
      stage,
      `UPDATE ${s}.reversals AS r SET fate = 'changed' WHERE r.entity = 'user' AND r.field = :label AND r.fate IS NULL
         AND EXISTS (SELECT 1 FROM changes x WHERE x.entity = 'user' AND x.entity_id = CAST(r.id AS TEXT) AND x.id > r.last
           AND x.field IN (${names}))`,
      { label, id },
    );
    await run(
      stage,
      `UPDATE ${s}.reversals AS r SET fate = CASE WHEN p.custom->>CAST(:id AS TEXT) IS DISTINCT FROM r.after THEN 'changed'
         ELSE 'back' END ${whose}`,
      { label, id },
    );
    await run(
      stage,
      `UPDATE ${s}.people AS p SET custom = ${changed} FROM ${s}.reversals r
       WHERE r.id = p.id AND r.entity = 'user' AND r.field = :label AND r.fate = 'back'`,
      { label, id },
    );
  }
}

/** A restored edge that closes a ring with later changes is dropped again. */
function ringsOf(stage: Stage, plan: 'people' | 'groups', edge: 'manager' | 'parent', label: string, entity: string) {
  const s = stage.prefix;
  const [table, key] = plan === 'people' ? ['users', 'email_key'] : ['teams', 'name_key'];
  const isBack = `r.entity = '${entity}' AND r.field = '${label}' AND r.fate = 'back'`;
  const old = `(SELECT a.${key} FROM ${table} y JOIN ${table} a ON a.id = y.${edge}_id WHERE y.id = p.id)`;
  return {
    planned: plan,
    above: `${edge}_key`,
    changed: `SELECT p.key, p.${edge}_key, ${old}, CAST(r.n AS INTEGER) FROM ${s}.${plan} p CROSS JOIN ${s}.reversals r
      WHERE r.id = p.id AND ${isBack} AND r.before IS NOT NULL`,
    follow: (
      next: string,
    ) => `CASE WHEN p.key IS NULL THEN a.${key} ELSE p.${edge}_key END, CASE WHEN r.n IS NOT NULL THEN a.${key} END,
        CAST(r.n AS INTEGER)
      FROM up JOIN (SELECT 0 AS old UNION ALL SELECT 1) side ON side.old = 0 OR up.old IS NOT NULL
      LEFT JOIN ${s}.${plan} p ON p.key = ${next}
      LEFT JOIN ${s}.reversals r ON r.id = p.id AND ${isBack} AND r.before IS NOT NULL
      LEFT JOIN ${table} u ON u.org_id = :org AND u.${key} = ${next}
      LEFT JOIN ${table} a ON a.id = u.${edge}_id`,
    shown: 'c.key',
    drop: [
      `UPDATE ${s}.${plan} AS p SET ${edge}_key = r.after FROM ${s}.reversals r
       WHERE r.id = p.id AND r.n IN (SELECT line FROM ${s}.dropped)`,
      `UPDATE ${s}.reversals SET fate = 'ring' WHERE n IN (SELECT line FROM ${s}.dropped)`,
    ],
  };
}
