/** Plans the teams that a file creates and the values that it changes: from `team_rows` into `groups` and `changes` (T1–T4). */
import type { Stage } from '../../db/stage.js';
import { analyze, count, run } from '../../db/stagesql.js';
import { clearTeams } from './clears.js';
import { bindingsOf, isOwnIn, type PlanContext } from './context.js';
import type { RowCounts } from './input.js';
import { addStubs } from './stubs.js';

const columns: readonly { label: string; column: string }[] = [
  { label: 'Owner Email', column: 'owner_key' },
  { label: 'Parent Team', column: 'parent_key' },
  { label: 'Team Type', column: 'type' },
];

const isOwn = isOwnIn('g');

/** Adds to `groups` the teams that the file creates, changes or names as parents; and to `people` unknown owners. */
export async function gatherTeams(stage: Stage, context: PlanContext): Promise<void> {
  const s = stage.prefix;
  const bindings = bindingsOf(context);
  await run(
    stage,
    `INSERT INTO ${s}.groups (key, id, name, owner_key, owner_id, parent_key, parent_id, type, is_new, is_stub, file, line)
     SELECT r.key, k.id, k.name, o.email_key, k.owner_id, a.name_key, k.parent_id, k.type, 0, 0, :file, r.line
     FROM ${s}.team_rows r CROSS JOIN teams k LEFT JOIN users o ON o.id = k.owner_id LEFT JOIN teams a ON a.id = k.parent_id
     WHERE k.org_id = :org AND k.name_key = r.key AND r.state = 0
       AND ((r.owner_key IS NOT NULL AND r.owner_key IS DISTINCT FROM o.email_key)
         OR (r.parent_key IS NOT NULL AND r.parent_key IS DISTINCT FROM a.name_key)
         OR (r.type IS NOT NULL AND r.type IS DISTINCT FROM k.type) OR r.clears IS NOT NULL)
       AND NOT EXISTS (SELECT 1 FROM ${s}.groups g WHERE g.key = r.key)`,
    bindings,
  );
  // A team that an earlier file of the run only named is created by the row that describes it.
  await run(
    stage,
    `DELETE FROM ${s}.groups WHERE is_new = 1 AND is_stub = 1 AND key IN (SELECT r.key FROM ${s}.team_rows r WHERE r.state = 0)`,
  );
  await run(
    stage,
    `INSERT INTO ${s}.groups (key, name, owner_key, parent_key, type, is_new, is_stub, file, line)
     SELECT r.key, r.name, COALESCE(r.owner_key, :ownerKey), r.parent_key, r.type, 1, 0, :file, r.line FROM ${s}.team_rows r
     WHERE r.state = 0 AND NOT EXISTS (SELECT 1 FROM teams k WHERE k.org_id = :org AND k.name_key = r.key)
       AND NOT EXISTS (SELECT 1 FROM ${s}.groups g WHERE g.key = r.key)
     ORDER BY r.line`,
    bindings,
  );
  await run(
    stage,
    `INSERT INTO ${s}.groups (key, name, owner_key, is_new, is_stub, file, line)
     SELECT r.parent_key, r.parent_name, :ownerKey, 1, 1, :file, r.line
     FROM (SELECT parent_key AS key, MIN(line) AS line FROM ${s}.team_rows WHERE state = 0 AND parent_key IS NOT NULL GROUP BY parent_key) named
     CROSS JOIN ${s}.team_rows r WHERE r.line = named.line
       AND NOT EXISTS (SELECT 1 FROM teams k WHERE k.org_id = :org AND k.name_key = named.key)
       AND NOT EXISTS (SELECT 1 FROM ${s}.groups g WHERE g.key = named.key)
     ORDER BY r.line`,
    bindings,
  );
  await addStubs(stage, context, {
    table: 'team_rows',
    key: 'owner_key',
    email: 'owner_email',
    name: null,
  });
  await analyze(stage, 'groups', 'people');
  await clearTeams(stage, context);
}

/** Records the changes of known teams, then makes them in `groups`. */
export async function changeTeams(stage: Stage, context: PlanContext): Promise<void> {
  const s = stage.prefix;
  const bindings = bindingsOf(context);
  for (const { label, column } of columns) {
    await run(
      stage,
      `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
       SELECT :file, r.line, 'team', g.key, :label, g.${column}, r.${column} FROM ${s}.groups g CROSS JOIN ${s}.team_rows r
       WHERE r.key = g.key AND r.state = 0 AND NOT (${isOwn}) AND r.${column} IS NOT NULL AND r.${column} IS DISTINCT FROM g.${column}`,
      { ...bindings, label },
    );
  }
  await run(
    stage,
    `UPDATE ${s}.groups AS g SET ${columns.map(({ column }) => `${column} = COALESCE(r.${column}, g.${column})`).join(', ')}
     FROM ${s}.team_rows r WHERE r.key = g.key AND r.state = 0 AND NOT (${isOwn})`,
    bindings,
  );
}

/** Counts the teams that the file creates and changes. */
export async function countTeams(stage: Stage, context: PlanContext): Promise<RowCounts> {
  const s = stage.prefix;
  const n = (sql: string) => count(stage, `SELECT COUNT(*) AS n FROM ${sql}`, bindingsOf(context));
  const created = await n(`${s}.groups g WHERE ${isOwn}`);
  const updated = await n(`(SELECT key FROM ${s}.changes WHERE file = :file AND entity = 'team' GROUP BY key) changed`);
  const effective = await n(`${s}.team_rows WHERE state = 0`);
  return { created, updated, unchanged: effective - created - updated, deactivated: 0, scheduled: 0 };
}
