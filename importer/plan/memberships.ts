/**
 * Plans the memberships that a users file adds and ends, and the teams that only its cells name (rules U6, U7). While a run is
 * planned, the memberships are those of the directory without `leaves`, and `joins`.
 */
import type { Stage } from '../../db/stage.js';
import { analyze, createAs, createIndex, eachOf, run } from '../../db/stagesql.js';
import { clearsIn, hasClears } from './clears.js';
import { bindingsOf, type PlanContext } from './context.js';
import { followEmail } from './emailholders.js';

/**
 * Reads the `teams` of `user_rows`, and writes `joins`, `leaves`, `changes`, and `groups` for unknown teams.
 * @param hasIdentifier whether users may have other emails than before, the owner too.
 */
export async function planMemberships(stage: Stage, of: PlanContext, hasIdentifier: boolean): Promise<void> {
  const s = stage.prefix;
  const context = hasIdentifier ? { ...of, ownerKey: await followEmail(stage, of, of.ownerKey) } : of;
  await createAs(
    stage,
    'row_teams',
    `SELECT r.line AS line, r.key AS person_key, t.value->>0 AS team_key, t.value->>1 AS name
     FROM ${s}.user_rows r CROSS JOIN ${eachOf(stage.dialect, 'r.teams')} WHERE r.state = 0 AND r.teams IS NOT NULL`,
    {},
  );
  await createIndex(stage, 'row_teams', 'line, team_key', 'pair');
  await createTeams(stage, context);
  await join(stage, context);
  const clears = clearsIn('teams');
  if (context.replacesTeams) await leave(stage, context, `(r.teams IS NOT NULL OR ${clears})`);
  else if (await hasClears(stage, context, 'user_rows')) await leave(stage, context, clears);
  await analyze(stage, 'groups', 'joins');
}

async function createTeams(stage: Stage, context: PlanContext): Promise<void> {
  const s = stage.prefix;
  await run(
    stage,
    `INSERT INTO ${s}.groups (key, name, owner_key, is_new, is_stub, file, line)
     SELECT named.team_key, rt.name, :ownerKey, 1, 1, :file, named.line
     FROM (SELECT team_key, MIN(line) AS line FROM ${s}.row_teams GROUP BY team_key) named
     CROSS JOIN ${s}.row_teams rt WHERE rt.line = named.line AND rt.team_key = named.team_key
       AND NOT EXISTS (SELECT 1 FROM teams k WHERE k.org_id = :org AND k.name_key = named.team_key)
       AND NOT EXISTS (SELECT 1 FROM ${s}.groups g WHERE g.key = named.team_key)
     ORDER BY named.line, named.team_key`,
    bindingsOf(context),
  );
}

async function join(stage: Stage, context: PlanContext): Promise<void> {
  const s = stage.prefix;
  const bindings = bindingsOf(context);
  const isPair = (alias: string) => `${alias}.person_key = rt.person_key AND ${alias}.team_key = rt.team_key`;
  await run(
    stage,
    `INSERT INTO ${s}.joins (person_key, team_key, file, line) SELECT rt.person_key, rt.team_key, :file, rt.line
     FROM ${s}.row_teams rt WHERE NOT EXISTS (SELECT 1 FROM ${s}.joins j WHERE ${isPair('j')})
       AND NOT EXISTS (SELECT 1 FROM users u CROSS JOIN teams k CROSS JOIN memberships mm
         WHERE u.org_id = :org AND u.email_key = rt.person_key AND k.org_id = :org AND k.name_key = rt.team_key
           AND mm.user_id = u.id AND mm.team_id = k.id
           AND NOT EXISTS (SELECT 1 FROM ${s}.leaves l WHERE ${isPair('l')}))`,
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
  await run(
    stage,
    `DELETE FROM ${s}.leaves WHERE (person_key, team_key) IN (SELECT person_key, team_key FROM ${s}.row_teams)`,
  );
}

/** Ends the memberships that a cell does not name. @param ends SQL: whether the cell of the row `r` ends any. */
async function leave(stage: Stage, context: PlanContext, ends: string): Promise<void> {
  const s = stage.prefix;
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
    bindingsOf(context),
  );
  await run(
    stage,
    `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
     SELECT :file, line, 'user', person_key, 'Teams', name, NULL FROM ${s}.ended`,
    bindingsOf(context),
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
