/**
 * Plans to take back what a run changed, from the record of changes: into the stage's tables, as an import's plan. What was
 * changed since stays as it is. Nobody is removed: a user whom the run created is deactivated, a team stays.
 */
import type { Stage } from '../../db/stage.js';
import { createAs, createIndex, rows, run } from '../../db/stagesql.js';
import type { PlanContext } from './context.js';
import { dropRings } from './ringedges.js';
import { isAdminLeft, takeBackDeactivations, takeBackEmails, takeBackMemberships } from './undovalues.js';

const pageRows = 2000;

/** A column of users or teams, how a change shows it, and the id beside it that follows its key. */
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
/** Fields of users that have their own ways back. */
const special = ['User Email', 'Teams', 'Status', 'Deactivation Date'];

/** Why something stays: changed since; its other side is gone or taken; a ring; nothing is ever removed; not recorded then. */
export type Fate = 'changed' | 'gone' | 'taken' | 'ring' | 'stays' | 'unrecorded';

/** A value that the run changed: what it was `before` the run, and what the run made it. */
export interface Reversal {
  n: number;
  entity: string;
  name: string;
  field: string;
  before: string | null;
  after: string | null;
  /** `back`: what it was before comes back. */
  fate: Fate | 'back';
}

export interface UndoOutcome {
  users: number;
  teams: number;
  deactivated: number;
  /** Values that come back. */
  restored: number;
  /** Values that stay as they are. */
  kept: number;
}

/**
 * @param undoes the run.
 * @param keyOf the compared form of an email.
 * @returns null when it would leave the organization without an admin.
 */
export async function planUndo(
  stage: Stage,
  context: PlanContext,
  undoes: number,
  keyOf: (email: string) => string,
): Promise<UndoOutcome | null> {
  const s = stage.prefix;
  await findReversals(stage, context.org, undoes);
  await gather(stage, context.org);
  await takeBackEmails(stage, context.org, keyOf);
  for (const plain of userColumns) await takeBack(stage, context.org, 'people', 'user', plain);
  for (const plain of teamColumns) await takeBack(stage, context.org, 'groups', 'team', plain);
  await takeBackCustom(stage, context.org);
  await takeBackMemberships(stage, context.org);
  await takeBackDeactivations(stage, context, undoes);
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

/** Values that come back, or those that stay, page by page: the first ones, or all. */
export async function* listReversals(
  stage: Stage,
  which: 'back' | 'kept',
  most = Number.POSITIVE_INFINITY,
): AsyncGenerator<Reversal[]> {
  for (let after = 0, left = most; left > 0; ) {
    const page = await rows<Reversal>(
      stage,
      `SELECT r.n, r.entity, COALESCE(p.email, g.name, f.label, r.key) AS name, r.field, r.before, r.after, r.fate
       FROM ${stage.prefix}.reversals r
       LEFT JOIN ${stage.prefix}.people p ON r.entity = 'user' AND p.key = r.key
       LEFT JOIN ${stage.prefix}.groups g ON r.entity = 'team' AND g.key = r.key
       LEFT JOIN fields f ON r.entity = 'field' AND f.id = r.key
       WHERE r.fate ${which === 'back' ? '=' : '<>'} 'back' AND r.n > :after ORDER BY r.n LIMIT :size`,
      { after, size: Math.min(left, pageRows) },
    );
    if (page.length === 0) return;
    yield page;
    left -= page.length;
    after = page[page.length - 1]!.n;
  }
}

/** One row for each value: as it was before the run and after it, and whether anything came since. */
async function findReversals(stage: Stage, org: string, undoes: number): Promise<void> {
  const s = stage.prefix;
  const number = stage.dialect === 'sqlite' ? 'INTEGER PRIMARY KEY' : 'BIGSERIAL PRIMARY KEY';
  await run(
    stage,
    `CREATE TABLE ${s}.reversals (n ${number}, entity TEXT, id BIGINT, key TEXT, field TEXT, item TEXT, before TEXT, after TEXT,
       last BIGINT, fate TEXT)`,
  );
  const item = (alias: string) =>
    `CASE ${alias}.field WHEN 'Teams' THEN COALESCE(${alias}.before, ${alias}.after) ELSE '' END`;
  await createAs(
    stage,
    'touched',
    `SELECT c.entity, c.entity_id, c.field, ${item('c')} AS item, MIN(c.id) AS first, MAX(c.id) AS last FROM changes c
     WHERE c.run_id = :undoes AND c.org_id = :org GROUP BY c.entity, c.entity_id, c.field, ${item('c')}`,
    { org, undoes },
  );
  // A scheduled deactivation that took place is what the run has brought about, not somebody else's change.
  const isLater = `x.entity = t.entity AND x.entity_id = t.entity_id AND x.id > t.last
    AND (t.field = '' OR x.field = t.field) AND ${item('x')} = CASE t.field WHEN '' THEN ${item('x')} ELSE t.item END
    AND x.run_id IS DISTINCT FROM CAST(:undoes AS BIGINT)
    AND NOT (x.field = 'Status' AND x.run_id IS NULL AND x.after = 'deactivated')`;
  await run(
    stage,
    `INSERT INTO ${s}.reversals (entity, id, key, field, item, before, after, last, fate)
     SELECT t.entity, CASE t.entity WHEN 'field' THEN NULL ELSE CAST(t.entity_id AS BIGINT) END, t.entity_id, t.field, t.item,
       b.before, CASE t.field WHEN '' THEN NULL ELSE a.after END, t.last,
       CASE WHEN t.field = '' AND t.entity <> 'user' THEN 'stays'
         WHEN EXISTS (SELECT 1 FROM changes x WHERE ${isLater}) THEN 'changed' END
     FROM ${s}.touched t JOIN changes b ON b.id = t.first JOIN changes a ON a.id = t.last
     WHERE t.field = '' OR b.before IS DISTINCT FROM a.after ORDER BY t.first`,
    { undoes },
  );
  await createIndex(stage, 'reversals', 'entity, id', 'whom');
  await createIndex(stage, 'reversals', 'field');
}

/** Brings whoever is concerned into the plan, as they are; and their keys to the reversals. */
async function gather(stage: Stage, org: string): Promise<void> {
  const s = stage.prefix;
  const ids = (entity: string) => `SELECT r.id FROM ${s}.reversals r WHERE r.entity = '${entity}'`;
  await run(
    stage,
    `INSERT INTO ${s}.people (key, id, email, user_name, first_name, last_name, manager_key, manager_id, account_type, is_admin,
       status, deactivation_date, deactivate_at, deactivated_at, deactivated_by, custom, is_new, is_stub, file)
     SELECT u.email_key, u.id, u.email, u.user_name, u.first_name, u.last_name, m.email_key, u.manager_id, u.account_type,
       u.is_admin, u.status, u.deactivation_date, u.deactivate_at, u.deactivated_at, u.deactivated_by, u.custom, 0, 0, 0
     FROM users u LEFT JOIN users m ON m.id = u.manager_id WHERE u.org_id = :org AND u.id IN (${ids('user')})`,
    { org },
  );
  await run(
    stage,
    `INSERT INTO ${s}.groups (key, id, name, owner_key, owner_id, parent_key, parent_id, type, is_new, is_stub, file)
     SELECT k.name_key, k.id, k.name, o.email_key, k.owner_id, a.name_key, k.parent_id, k.type, 0, 0, 0
     FROM teams k LEFT JOIN users o ON o.id = k.owner_id LEFT JOIN teams a ON a.id = k.parent_id
     WHERE k.org_id = :org AND k.id IN (${ids('team')})`,
    { org },
  );
  for (const [entity, plan] of [
    ['user', 'people'],
    ['team', 'groups'],
  ]) {
    await createIndex(stage, plan!, 'id');
    await run(
      stage,
      `UPDATE ${s}.reversals AS r SET key = p.key FROM ${s}.${plan} p WHERE p.id = r.id AND r.entity = '${entity}'`,
    );
  }
}

async function takeBack(
  stage: Stage,
  org: string,
  plan: 'people' | 'groups',
  entity: 'user' | 'team',
  { label, column, id, shown = (name) => name }: Plain,
): Promise<void> {
  const s = stage.prefix;
  // Whoever had the email then, whatever the run made it.
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
  // The plan tells users by their keys, and so do its changes.
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
    // Under another label it was changed since all the same.
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

/** An edge that comes back may close a ring with what came since: then it stays as it is. */
function ringsOf(stage: Stage, plan: 'people' | 'groups', edge: 'manager' | 'parent', label: string, entity: string) {
  const s = stage.prefix;
  const [table, key] = plan === 'people' ? ['users', 'email_key'] : ['teams', 'name_key'];
  const isBack = `r.entity = '${entity}' AND r.field = '${label}' AND r.fate = 'back'`;
  const old = `(SELECT a.${key} FROM ${table} y JOIN ${table} a ON a.id = y.${edge}_id WHERE y.id = p.id)`;
  return {
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
    drop: [
      `UPDATE ${s}.${plan} AS p SET ${edge}_key = r.after FROM ${s}.reversals r
       WHERE r.id = p.id AND r.n IN (SELECT line FROM ${s}.dropped)`,
      `UPDATE ${s}.reversals SET fate = 'ring' WHERE n IN (SELECT line FROM ${s}.dropped)`,
    ],
  };
}
