/** Plans one users file: who is created, what changes, who joins which team; into the stage's tables (rules U1–U13). */
import {
  analyze,
  count,
  createAs,
  createIndex,
  eachOf,
  type PlanContext,
  type RingRelation,
  rows,
  run,
} from './plan.js';
import type { Stage } from './stage.js';

const dayMs = 86_400_000;

/** The cells of a row that change a value as they stand: the label, the column, and how a change record shows it. */
const plainColumns: readonly { label: string; column: string; shown?: (column: string) => string }[] = [
  { label: 'User Name', column: 'user_name' },
  { label: 'First Name', column: 'first_name' },
  { label: 'Last Name', column: 'last_name' },
  { label: 'Manager Email', column: 'manager_key' },
  { label: 'User Account Type', column: 'account_type' },
  {
    label: 'Is Org Admin',
    column: 'is_admin',
    shown: (column) => `CASE ${column} WHEN 1 THEN 'Yes' WHEN 0 THEN 'No' END`,
  },
  { label: 'Deactivation Date', column: 'deactivation_date' },
];

function bindingsOf(context: PlanContext): Record<string, unknown> {
  const { org, file, today, now, ownerKey } = context;
  return { org, file, today, now, ownerKey, tomorrow: now + dayMs };
}

/** Brings into the plan whoever the file creates, and the known users whom it changes in some value. */
export async function gatherUsers(stage: Stage, context: PlanContext): Promise<void> {
  const s = stage.prefix;
  const merged = stage.dialect === 'sqlite' ? 'json_patch(u.custom, r.custom)' : '(u.custom || r.custom)';
  const differs = plainColumns
    .map(({ column }) => {
      const current = column === 'manager_key' ? 'm.email_key' : `u.${column}`;
      return `(r.${column} IS NOT NULL AND r.${column} IS DISTINCT FROM ${current})`;
    })
    .concat(`(r.custom IS NOT NULL AND ${merged} <> u.custom)`)
    .join(' OR ');
  const known = `FROM ${s}.user_rows r CROSS JOIN users u LEFT JOIN users m ON m.id = u.manager_id
    WHERE u.org_id = :org AND u.email_key = r.key AND r.state = 0`;
  await run(
    stage,
    `INSERT INTO ${s}.people (key, id, email, user_name, first_name, last_name, manager_key, manager_id, account_type, is_admin,
       status, deactivation_date, deactivate_at, deactivated_at, deactivated_by, custom, is_new, is_stub, file, line)
     SELECT r.key, u.id, u.email, u.user_name, u.first_name, u.last_name, m.email_key, u.manager_id, u.account_type, u.is_admin,
       u.status, u.deactivation_date, u.deactivate_at, u.deactivated_at, u.deactivated_by, u.custom, 0, 0, :file, r.line
     ${known} AND (${differs}) AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = r.key)`,
    bindingsOf(context),
  );
  // Whom an earlier file of the run only named is created by the row that describes them.
  await run(
    stage,
    `DELETE FROM ${s}.people WHERE is_new = 1 AND is_stub = 1 AND user_name IS NULL
     AND key IN (SELECT r.key FROM ${s}.user_rows r WHERE r.state = 0)`,
  );
  // A user created by this file whose date has come is created deactivated (rule U12).
  await run(
    stage,
    `INSERT INTO ${s}.people (key, email, user_name, first_name, last_name, manager_key, account_type, is_admin, status,
       deactivation_date, deactivate_at, deactivated_at, deactivated_by, custom, is_new, is_stub, file, line)
     SELECT r.key, r.email, r.user_name, r.first_name, r.last_name, r.manager_key, COALESCE(r.account_type, 'Regular'),
       COALESCE(r.is_admin, 0), CASE WHEN r.deactivation_date <= :today THEN 'deactivated' ELSE 'active' END, r.deactivation_date,
       CASE WHEN r.deactivation_date > :today THEN r.deactivation_at END,
       CASE WHEN r.deactivation_date <= :today THEN CAST(:now AS BIGINT) END,
       CASE WHEN r.deactivation_date <= :today THEN 'import' END,
       COALESCE(r.custom, '{}'), 1, 0, :file, r.line
     FROM ${s}.user_rows r WHERE r.state = 0
       AND NOT EXISTS (SELECT 1 FROM users u WHERE u.org_id = :org AND u.email_key = r.key)
       AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = r.key)
     ORDER BY r.line`,
    bindingsOf(context),
  );
  await addStubs(stage, context, 'user_rows', 'manager_key', 'manager_email', 'manager_name');
  await analyze(stage, 'people');
}

/** Creates, with default values, whoever rows name as manager or owner and nobody knows (rules U8, T2). */
export async function addStubs(
  stage: Stage,
  context: PlanContext,
  table: 'user_rows' | 'team_rows',
  key: string,
  email: string,
  name: string | null,
): Promise<void> {
  const s = stage.prefix;
  await run(
    stage,
    `INSERT INTO ${s}.people (key, email, user_name, account_type, is_admin, status, custom, is_new, is_stub, file, line)
     SELECT r.${key}, r.${email}, ${name === null ? 'NULL' : `r.${name}`}, 'Regular', 0, 'active', '{}', 1, 1, :file, r.line
     FROM (SELECT ${key} AS key, MIN(line) AS line FROM ${s}.${table} WHERE state = 0 AND ${key} IS NOT NULL GROUP BY ${key}) named
     CROSS JOIN ${s}.${table} r WHERE r.line = named.line
       AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = named.key)
       AND NOT EXISTS (SELECT 1 FROM users u WHERE u.org_id = :org AND u.email_key = named.key)
     ORDER BY r.line`,
    bindingsOf(context),
  );
}

/** Managers, for dropRings. */
export function managerRelation(stage: Stage): RingRelation {
  const s = stage.prefix;
  const isChanged = 'r.manager_key IS NOT NULL AND (p.is_new = 1 OR r.manager_key IS DISTINCT FROM p.manager_key)';
  return {
    table: 'user_rows',
    changedEdges: `SELECT r.key, r.manager_key, r.line FROM ${s}.people p CROSS JOIN ${s}.user_rows r
      WHERE r.key = p.key AND r.state = 0 AND ${isChanged}`,
    nextEdge: `SELECT up.above, CASE WHEN r.manager_key IS NOT NULL THEN r.manager_key
        WHEN p.key IS NOT NULL THEN p.manager_key ELSE m.email_key END,
        CASE WHEN p.key IS NOT NULL AND ${isChanged} THEN r.line END
      FROM up LEFT JOIN ${s}.user_rows r ON r.key = up.above AND r.state = 0
      LEFT JOIN ${s}.people p ON p.key = up.above
      LEFT JOIN users u ON u.org_id = :org AND u.email_key = up.above
      LEFT JOIN users m ON m.id = u.manager_id
      WHERE up.above IS NOT NULL`,
    drop: [
      `UPDATE ${s}.people SET manager_key = NULL WHERE is_new = 1 AND key = (SELECT key FROM ${s}.user_rows WHERE line = :line)`,
      `UPDATE ${s}.user_rows SET manager_key = NULL WHERE line = :line`,
    ],
  };
}

/** A user for whom nothing ends their being an admin: neither a scheduled nor a past deactivation. */
const lasting = (alias: string) =>
  `${alias}.is_admin = 1 AND ${alias}.status = 'active' AND ${alias}.deactivate_at IS NULL`;

/**
 * Keeps one admin (rule U10): where the file would leave the organization without a lasting one, the last of its rows
 * that does so loses the cells that do. Gives that row, and which of its columns were ignored.
 */
export async function keepLastAdmin(
  stage: Stage,
  context: PlanContext,
): Promise<{ line: number; email: string; demotes: boolean; deactivates: boolean } | null> {
  const s = stage.prefix;
  const bindings = bindingsOf(context);
  const rowOf = `FROM ${s}.people p CROSS JOIN ${s}.user_rows r WHERE r.key = p.key AND r.state = 0`;
  const endsDate = 'r.deactivation_date IS NOT NULL AND r.deactivation_date IS DISTINCT FROM p.deactivation_date';
  const wasThere = `NOT (p.is_new = 1 AND p.is_stub = 0 AND p.file = :file)`;
  const loses = `${rowOf} AND ${wasThere} AND ${lasting('p')} AND (r.is_admin = 0 OR (${endsDate}))`;
  const [loser] = await rows<{
    line: number;
    email: string;
    is_admin: number | null;
    deactivation_date: string | null;
  }>(stage, `SELECT r.line, p.email, r.is_admin, r.deactivation_date ${loses} ORDER BY r.line DESC LIMIT 1`, bindings);
  if (loser === undefined) return null;
  const untouched = await count(
    stage,
    `SELECT COUNT(*) AS n FROM users u WHERE u.org_id = :org AND ${lasting('u')}
     AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = u.email_key)`,
    bindings,
  );
  const planned = await count(stage, `SELECT COUNT(*) AS n FROM ${s}.people p WHERE ${lasting('p')}`);
  const losing = await count(stage, `SELECT COUNT(*) AS n ${loses}`, bindings);
  const gaining = await count(
    stage,
    `SELECT COUNT(*) AS n ${rowOf} AND ${wasThere} AND r.is_admin = 1 AND p.is_admin = 0 AND p.status = 'active'
     AND p.deactivate_at IS NULL AND NOT (${endsDate})`,
    bindings,
  );
  if (untouched + planned - losing + gaining > 0) return null;
  await run(stage, `UPDATE ${s}.user_rows SET deactivation_date = NULL, deactivation_at = NULL WHERE line = :line`, {
    line: loser.line,
  });
  await run(stage, `UPDATE ${s}.user_rows SET is_admin = NULL WHERE line = :line AND is_admin = 0`, {
    line: loser.line,
  });
  return {
    line: loser.line,
    email: loser.email,
    demotes: loser.is_admin === 0,
    deactivates: loser.deactivation_date !== null,
  };
}

/** Records what the file changes in users who are there, then makes the change in the plan (rules U3–U5, U8–U12, C3). */
export async function changeUsers(
  stage: Stage,
  context: PlanContext,
  fields: readonly { id: string; label: string }[],
): Promise<void> {
  const s = stage.prefix;
  const bindings = bindingsOf(context);
  const there = `FROM ${s}.people p CROSS JOIN ${s}.user_rows r
    WHERE r.key = p.key AND r.state = 0 AND NOT (p.is_new = 1 AND p.is_stub = 0 AND p.file = :file)`;
  if ((await count(stage, `SELECT COUNT(*) AS n ${there}`, bindings)) === 0) return;
  const record = (label: string, before: string, after: string, when: string) =>
    run(
      stage,
      `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
       SELECT :file, r.line, 'user', p.key, :label, ${before}, ${after} ${there} AND ${when}`,
      { ...bindings, label },
    );
  for (const { label, column, shown = (name: string) => name } of plainColumns) {
    await record(
      label,
      shown(`p.${column}`),
      shown(`r.${column}`),
      `r.${column} IS NOT NULL AND r.${column} IS DISTINCT FROM p.${column}`,
    );
  }
  for (const { id, label } of fields) {
    const [before, after] = [`p.custom->>'${id}'`, `r.custom->>'${id}'`];
    await record(
      label,
      before,
      after,
      `r.custom IS NOT NULL AND ${after} IS NOT NULL AND ${after} IS DISTINCT FROM ${before}`,
    );
  }
  const datePlan = planDate();
  await record('Status', 'p.status', datePlan.status, `${datePlan.status} <> p.status`);
  const merged = stage.dialect === 'sqlite' ? 'json_patch(p.custom, r.custom)' : 'p.custom || r.custom';
  await run(
    stage,
    `UPDATE ${s}.people AS p SET ${plainColumns.map(({ column }) => `${column} = COALESCE(r.${column}, p.${column})`).join(', ')},
       status = ${datePlan.status}, deactivate_at = ${datePlan.deactivateAt}, deactivated_at = ${datePlan.deactivatedAt},
       deactivated_by = ${datePlan.deactivatedBy}, custom = CASE WHEN r.custom IS NULL THEN p.custom ELSE ${merged} END
     FROM ${s}.user_rows r WHERE r.key = p.key AND r.state = 0 AND NOT (p.is_new = 1 AND p.is_stub = 0 AND p.file = :file)`,
    bindings,
  );
}

/** What a new `Deactivation Date` does to a user who is there (rule U12), as expressions over the row `r` and the user `p`. */
function planDate() {
  const isNew = 'r.deactivation_date IS NOT NULL AND r.deactivation_date IS DISTINCT FROM p.deactivation_date';
  const when = (future: string, today: string, past: string, else_: string) =>
    `CASE WHEN NOT (${isNew}) THEN ${else_} WHEN r.deactivation_date > :today THEN ${future}
      WHEN r.deactivation_date = :today THEN ${today} ELSE ${past} END`;
  const isOut = `p.status = 'deactivated'`;
  const comesBack = `${isOut} AND p.deactivated_by = 'import'`;
  return {
    status: when(`CASE WHEN ${comesBack} THEN 'active' ELSE p.status END`, `'deactivated'`, 'p.status', 'p.status'),
    deactivateAt: when(
      `CASE WHEN ${isOut} AND NOT (${comesBack}) THEN NULL ELSE r.deactivation_at END`,
      'NULL',
      `CASE WHEN ${isOut} THEN NULL ELSE CAST(:tomorrow AS BIGINT) END`,
      'p.deactivate_at',
    ),
    deactivatedAt: when(
      `CASE WHEN ${comesBack} THEN NULL ELSE p.deactivated_at END`,
      `CASE WHEN ${isOut} THEN p.deactivated_at ELSE CAST(:now AS BIGINT) END`,
      'p.deactivated_at',
      'p.deactivated_at',
    ),
    deactivatedBy: when(
      `CASE WHEN ${comesBack} THEN NULL ELSE p.deactivated_by END`,
      `CASE WHEN ${isOut} THEN p.deactivated_by ELSE 'import' END`,
      'p.deactivated_by',
      'p.deactivated_by',
    ),
  };
}

/** Plans the memberships that the file adds, with the teams that nobody knew (rules U6, U7). */
export async function joinTeams(stage: Stage, context: PlanContext): Promise<void> {
  const s = stage.prefix;
  const bindings = bindingsOf(context);
  const each = eachOf(stage.dialect, 'r.teams');
  await createAs(
    stage,
    'row_teams',
    `SELECT r.line AS line, r.key AS person_key, t.value->>0 AS team_key FROM ${s}.user_rows r CROSS JOIN ${each}
     WHERE r.state = 0 AND r.teams IS NOT NULL`,
    {},
  );
  await run(
    stage,
    `INSERT INTO ${s}.groups (key, name, owner_key, is_new, is_stub, file, line)
     SELECT named.team_key, t.value->>1, :ownerKey, 1, 1, :file, named.line
     FROM (SELECT team_key, MIN(line) AS line FROM ${s}.row_teams rt
       WHERE NOT EXISTS (SELECT 1 FROM teams k WHERE k.org_id = :org AND k.name_key = rt.team_key)
         AND NOT EXISTS (SELECT 1 FROM ${s}.groups g WHERE g.key = rt.team_key) GROUP BY team_key) named
     CROSS JOIN ${s}.user_rows r CROSS JOIN ${each} WHERE r.line = named.line AND t.value->>0 = named.team_key ORDER BY named.line, named.team_key`,
    bindings,
  );
  await run(
    stage,
    `INSERT INTO ${s}.joins (person_key, team_key, file, line) SELECT rt.person_key, rt.team_key, :file, rt.line
     FROM ${s}.row_teams rt WHERE NOT EXISTS (SELECT 1 FROM users u CROSS JOIN teams k CROSS JOIN memberships mm
       WHERE u.org_id = :org AND u.email_key = rt.person_key AND k.org_id = :org AND k.name_key = rt.team_key
         AND mm.user_id = u.id AND mm.team_id = k.id)
     ON CONFLICT (person_key, team_key) DO NOTHING`,
    bindings,
  );
  await run(
    stage,
    `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
     SELECT j.file, j.line, 'user', j.person_key, 'Teams', NULL, COALESCE(g.name, k.name) FROM ${s}.joins j
     LEFT JOIN ${s}.groups g ON g.key = j.team_key LEFT JOIN teams k ON k.org_id = :org AND k.name_key = j.team_key
     WHERE j.file = :file`,
    bindings,
  );
  if (context.replacesTeams) await leaveTeams(stage, bindings);
}

/** For an organization whose `Teams` cells replace: memberships that the cell does not name end. */
async function leaveTeams(stage: Stage, bindings: Record<string, unknown>): Promise<void> {
  const s = stage.prefix;
  await createIndex(stage, 'row_teams', 'line');
  const left = `FROM ${s}.user_rows r CROSS JOIN users u CROSS JOIN memberships mm CROSS JOIN teams k
    WHERE r.state = 0 AND r.teams IS NOT NULL AND u.org_id = :org AND u.email_key = r.key AND mm.user_id = u.id
      AND k.id = mm.team_id AND NOT EXISTS (SELECT 1 FROM ${s}.row_teams rt WHERE rt.line = r.line AND rt.team_key = k.name_key)`;
  await run(
    stage,
    `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
     SELECT :file, r.line, 'user', r.key, 'Teams', k.name, NULL ${left}`,
    bindings,
  );
  await run(
    stage,
    `INSERT INTO ${s}.leaves (user_id, team_id) SELECT u.id, k.id ${left} ON CONFLICT (user_id, team_id) DO NOTHING`,
    bindings,
  );
}

export interface PlanCounts {
  created: number;
  updated: number;
  unchanged: number;
  deactivated: number;
  scheduled: number;
}

/** What the rows of the file do to users. */
export async function countUsers(
  stage: Stage,
  context: PlanContext,
  table: 'user_rows' | 'team_rows',
): Promise<PlanCounts> {
  const s = stage.prefix;
  const bindings = bindingsOf(context);
  const n = (sql: string) => count(stage, `SELECT COUNT(*) AS n FROM ${sql}`, bindings);
  if (table === 'team_rows') return { created: 0, updated: 0, unchanged: 0, deactivated: 0, scheduled: 0 };
  const isCreated = 'p.is_new = 1 AND p.is_stub = 0 AND p.file = :file';
  const created = await n(`${s}.people p WHERE ${isCreated}`);
  const updated = await n(
    `(SELECT c.key FROM ${s}.changes c WHERE c.file = :file AND c.entity = 'user'
       AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = c.key AND ${isCreated}) GROUP BY c.key) changed`,
  );
  const effective = await n(`${s}.user_rows WHERE state = 0`);
  const deactivated =
    (await n(`${s}.people p WHERE ${isCreated} AND p.status = 'deactivated'`)) +
    (await n(`${s}.changes WHERE file = :file AND field = 'Status' AND after = 'deactivated'`));
  const scheduled =
    (await n(`${s}.people p WHERE ${isCreated} AND p.deactivate_at IS NOT NULL`)) +
    (await n(
      `${s}.changes c CROSS JOIN ${s}.people p WHERE p.key = c.key AND c.file = :file AND c.field = 'Deactivation Date'
         AND c.entity = 'user' AND p.deactivate_at IS NOT NULL`,
    ));
  return { created, updated, unchanged: effective - created - updated, deactivated, scheduled };
}
