/**
 * Plans the memberships that a users file adds and ends, and the teams that only its cells name (rules U6, U7). While a run is
 * planned, the memberships are those of the directory without `leaves`, and `joins`.
 */
import type { Stage } from '../../db/stage.js';
import { analyze, createAs, createIndex, eachOf, run } from '../../db/stagesql.js';
import { clearsIn, hasClears } from './clears.js';
import { bindingsOf, isOwnIn, type PlanContext } from './context.js';
import { followEmail } from './emailholders.js';

/** SQL: the name of the team of the membership `j`, as it will be. */
const teamName = 'COALESCE(g.name, k.name)';

/** SQL: memberships `j` of `joins` with the name of each team. */
function namedJoins(s: string): string {
  return `${s}.joins j LEFT JOIN ${s}.groups g ON g.key = j.team_key LEFT JOIN teams k ON k.org_id = :org AND k.name_key = j.team_key`;
}

/** SQL: all changes of the plan. Those of the memberships that users are created with are in `joins` alone. */
export function plannedChanges(s: string): string {
  return `SELECT file, line, entity, key, field, before, after FROM ${s}.changes
    UNION ALL SELECT j.file, j.line, 'user', j.person_key, 'Teams', NULL, ${teamName} FROM ${namedJoins(s)} WHERE j.person IS NOT NULL`;
}

/** The same user may join the same team twice in runs of several files, or leave it. */
export function indexJoins(stage: Stage): Promise<void> {
  return createIndex(stage, 'joins', 'person_key, team_key', 'pair', 'UNIQUE');
}

/** Whether a cell of the organization's files may end a membership. */
export function mayLeave({ replacesTeams, mayClear }: Pick<PlanContext, 'replacesTeams' | 'mayClear'>): boolean {
  return replacesTeams || mayClear;
}

/**
 * Reads the `teams` of `user_rows`, and writes `joins`, `leaves`, `changes`, and `groups` for unknown teams.
 * @param hasIdentifier whether users may have other emails than before, the owner too.
 */
export async function planMemberships(stage: Stage, of: PlanContext, hasIdentifier: boolean): Promise<void> {
  const s = stage.prefix;
  const context = hasIdentifier ? { ...of, ownerKey: await followEmail(stage, of, of.ownerKey) } : of;
  const cells = `SELECT r.line AS line, r.key AS person_key, t.value->>0 AS team_key, t.value->>1 AS name, p.n AS person
    FROM ${s}.user_rows r LEFT JOIN ${s}.people p ON p.key = r.key AND ${isOwnIn('p')}
    CROSS JOIN ${eachOf(stage.dialect, 'r.teams')} WHERE r.state = 0 AND r.teams IS NOT NULL`;
  if (mayLeave(context)) {
    await createAs(stage, 'row_teams', cells, bindingsOf(context));
    await createIndex(stage, 'row_teams', 'line, team_key', 'pair');
    await join(stage, context, `${s}.row_teams`);
    await rejoin(stage);
    const clears = clearsIn('teams');
    if (context.replacesTeams) await leave(stage, context, `(r.teams IS NOT NULL OR ${clears})`);
    else if (await hasClears(stage, context, 'user_rows')) await leave(stage, context, clears);
  } else await join(stage, context, `(${cells})`);
  await analyze(stage, 'groups', 'joins');
}

/** @param cells SQL: the teams that the rows name */
async function join(stage: Stage, context: PlanContext, cells: string): Promise<void> {
  const s = stage.prefix;
  const bindings = bindingsOf(context);
  // What a query reads from the table that it fills, SQLite copies first: a pair that is there already is left out by the index.
  const isMember = `EXISTS (SELECT 1 FROM users u CROSS JOIN teams k CROSS JOIN memberships mm
    WHERE u.org_id = :org AND u.email_key = rt.person_key AND k.org_id = :org AND k.name_key = rt.team_key
      AND mm.user_id = u.id AND mm.team_id = k.id
      AND NOT EXISTS (SELECT 1 FROM ${s}.leaves l WHERE l.person_key = rt.person_key AND l.team_key = rt.team_key))`;
  await run(
    stage,
    `INSERT INTO ${s}.joins (person_key, team_key, name, file, line, person)
     SELECT rt.person_key, rt.team_key, rt.name, :file, rt.line, rt.person FROM ${cells} rt
     WHERE ${stage.dialect === 'sqlite' ? 'rt.person IS NOT NULL OR ' : ''}NOT ${isMember} ON CONFLICT DO NOTHING`,
    bindings,
  );
  await createTeams(stage, context);
  await run(
    stage,
    `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
     SELECT j.file, j.line, 'user', j.person_key, 'Teams', NULL, ${teamName} FROM ${namedJoins(s)}
     WHERE j.file = :file AND j.person IS NULL`,
    bindings,
  );
}

/** A team that is not known has no members, so that each row that names it is in `joins`. */
async function createTeams(stage: Stage, context: PlanContext): Promise<void> {
  const s = stage.prefix;
  const isUnknown = (key: string) => `NOT EXISTS (SELECT 1 FROM teams k WHERE k.org_id = :org AND k.name_key = ${key})`;
  const columns = `INSERT INTO ${s}.groups (key, name, owner_key, is_new, is_stub, file, line)
    SELECT j.team_key, j.name, :ownerKey, 1, 1, :file, j.line`;
  const sql =
    stage.dialect === 'sqlite'
      ? // In the order of the rows the first one that names a team creates it, without sorting them.
        `${columns} FROM ${s}.joins j WHERE j.file = :file AND ${isUnknown('j.team_key')} ORDER BY j.rowid ON CONFLICT (key) DO NOTHING`
      : `${columns} FROM (SELECT team_key, MIN(line) AS line FROM ${s}.joins WHERE file = :file GROUP BY team_key) named
         JOIN ${s}.joins j ON j.file = :file AND j.line = named.line AND j.team_key = named.team_key
         WHERE ${isUnknown('named.team_key')} AND NOT EXISTS (SELECT 1 FROM ${s}.groups g WHERE g.key = named.team_key)
         ORDER BY named.line, named.team_key`;
  await run(stage, sql, bindingsOf(context));
}

/** Users whom an earlier file of the run took out of a team, and this one names for it. */
function rejoin(stage: Stage): Promise<void> {
  const s = stage.prefix;
  return run(
    stage,
    `DELETE FROM ${s}.leaves WHERE (person_key, team_key) IN (SELECT person_key, team_key FROM ${s}.row_teams)`,
  );
}

/** Ends the memberships that a cell does not name. @param ends SQL: whether the cell of the row `r` ends any. */
async function leave(stage: Stage, context: PlanContext, ends: string): Promise<void> {
  const s = stage.prefix;
  const bindings = bindingsOf(context);
  const isUnnamed = (teamKey: string) => `r.state = 0 AND ${ends}
    AND NOT EXISTS (SELECT 1 FROM ${s}.row_teams rt WHERE rt.line = r.line AND rt.team_key = ${teamKey})`;
  await createAs(
    stage,
    'ended',
    `SELECT r.line AS line, r.key AS person_key, k.name_key AS team_key, k.name AS name
     FROM ${s}.user_rows r CROSS JOIN users u CROSS JOIN memberships mm CROSS JOIN teams k
     WHERE u.org_id = :org AND u.email_key = r.key AND mm.user_id = u.id AND k.id = mm.team_id AND ${isUnnamed('k.name_key')}
       AND NOT EXISTS (SELECT 1 FROM ${s}.leaves l WHERE l.person_key = r.key AND l.team_key = k.name_key)
     UNION SELECT r.line, j.person_key, j.team_key, COALESCE(g.name, k.name)
     FROM ${s}.user_rows r CROSS JOIN ${s}.joins j LEFT JOIN ${s}.groups g ON g.key = j.team_key
     LEFT JOIN teams k ON k.org_id = :org AND k.name_key = j.team_key
     WHERE j.person_key = r.key AND ${isUnnamed('j.team_key')}`,
    bindings,
  );
  // A membership that ends in the same run is recorded with its beginning.
  await run(
    stage,
    `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
     SELECT j.file, j.line, 'user', j.person_key, 'Teams', NULL, ${teamName} FROM ${namedJoins(s)}
     WHERE j.person IS NOT NULL AND (j.person_key, j.team_key) IN (SELECT person_key, team_key FROM ${s}.ended)`,
    bindings,
  );
  await run(
    stage,
    `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
     SELECT :file, line, 'user', person_key, 'Teams', name, NULL FROM ${s}.ended`,
    bindings,
  );
  await run(
    stage,
    `DELETE FROM ${s}.joins WHERE (person_key, team_key) IN (SELECT person_key, team_key FROM ${s}.ended)`,
  );
  await run(
    stage,
    `INSERT INTO ${s}.leaves (person_key, team_key) SELECT person_key, team_key FROM ${s}.ended
     WHERE true ON CONFLICT (person_key, team_key) DO NOTHING`,
  );
}
