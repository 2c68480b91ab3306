/** Reads from the record of changes which values a run changed: they are the rows of `reversals`, of which an undo decides the fate. */
import type { Stage } from '../../db/stage.js';
import { createAs, createIndex, rows, run } from '../../db/stagesql.js';

const pageRows = 2000;

/**
 * Why a value is not restored. `changed`: it was changed after the run. `gone`: the user, team or field that it names no longer
 * exists. `taken`: another user has the email. `ring`: it would close a ring. `stays`: undo removes no team, and deactivates no
 * owner. `unrecorded`: the run did not record the schedule before it.
 */
export type Fate = 'changed' | 'gone' | 'taken' | 'ring' | 'stays' | 'unrecorded';

/** A value that the run changed, `before` the run and `after` it. */
export interface Reversal {
  n: number;
  entity: string;
  name: string;
  field: string;
  before: string | null;
  after: string | null;
  /** `back`: the value from before the run is restored. */
  fate: Fate | 'back';
}

/** Fills the table `reversals`: one row for each value that the run changed, and whether it was changed later. */
export async function findReversals(stage: Stage, org: string, undoes: number): Promise<void> {
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
  // A scheduled deactivation that took place is an effect of the run, not a later change.
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

/** Adds the users and teams of the reversals to `people` and `groups`, unchanged, and their keys to `reversals`. */
export async function gatherReversed(stage: Stage, org: string): Promise<void> {
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

/** Lists restored values, or those that are not restored, page by page. @param most the number of values to list. */
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
