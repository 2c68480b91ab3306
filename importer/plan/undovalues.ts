/** Restores the values of an undo that depend on others: emails, memberships, deactivations; and checks that an admin is left. */
import type { Stage } from '../../db/stage.js';
import { count, createIndex, insertRows, rows, run } from '../../db/stagesql.js';
import type { PlanContext } from './context.js';

/** Restores emails that are free once the undo is applied: two users who swapped their emails swap them again. */
export async function takeBackEmails(stage: Stage, org: string, keyOf: (email: string) => string): Promise<void> {
  const s = stage.prefix;
  const found = await rows<{ n: number; email: string; before: string; after: string; key: string }>(
    stage,
    `SELECT r.n, p.email, r.before, r.after, p.key FROM ${s}.reversals r JOIN ${s}.people p ON p.id = r.id
     WHERE r.entity = 'user' AND r.field = 'User Email' AND r.fate IS NULL ORDER BY r.n`,
  );
  const fates = new Map(found.map(({ n, email, after }) => [n, keyOf(email) === keyOf(after) ? 'back' : 'changed']));
  const holders = await findHolders(
    stage,
    org,
    found.map(({ before }) => keyOf(before)),
  );
  for (let isSettled = false; !isSettled; ) {
    isSettled = true;
    const leaving = new Set(found.filter(({ n }) => fates.get(n) === 'back').map(({ key }) => key));
    for (const { n, before, key } of found) {
      const wanted = keyOf(before);
      if (fates.get(n) !== 'back' || wanted === key || !holders.has(wanted) || leaving.has(wanted)) continue;
      fates.set(n, 'taken');
      isSettled = false;
    }
  }
  await run(stage, `CREATE TABLE ${s}.addresses (n BIGINT PRIMARY KEY, fate TEXT, address TEXT)`);
  await createIndex(stage, 'addresses', 'address');
  const settled = found.map(({ n, before }) => [n, fates.get(n), keyOf(before)]);
  for (let from = 0; from < settled.length; from += 5000)
    await insertRows(stage, 'addresses', ['n BIGINT', 'fate TEXT', 'address TEXT'], settled.slice(from, from + 5000));
  await run(stage, `UPDATE ${s}.reversals AS r SET fate = a.fate FROM ${s}.addresses a WHERE a.n = r.n`);
  await run(
    stage,
    `UPDATE ${s}.people AS p SET email = r.before, address = a.address FROM ${s}.reversals r, ${s}.addresses a
     WHERE a.n = r.n AND r.id = p.id AND r.entity = 'user' AND a.fate = 'back'`,
  );
  await run(
    stage,
    `INSERT INTO ${s}.formers (email_key, key) SELECT p.key, p.key FROM ${s}.people p WHERE p.address <> p.key`,
  );
}

/** The emails that users have now. */
async function findHolders(stage: Stage, org: string, emails: readonly string[]): Promise<Set<string>> {
  const held = new Set<string>();
  for (let from = 0; from < emails.length; from += 500) {
    const page = await stage
      .db('users')
      .where({ org_id: org })
      .whereIn('email_key', emails.slice(from, from + 500));
    for (const { email_key } of page) held.add(email_key);
  }
  return held;
}

/** Restores memberships. A team that was renamed since is found by its old name, which is an alias. */
export async function takeBackMemberships(stage: Stage, org: string): Promise<void> {
  const s = stage.prefix;
  const teamId = `COALESCE((SELECT k.id FROM teams k WHERE k.org_id = :org AND k.name = r.item),
    (SELECT a.team_id FROM team_aliases a WHERE a.org_id = :org AND a.name = r.item))`;
  const isMember = `EXISTS (SELECT 1 FROM memberships mm WHERE mm.user_id = r.id AND mm.team_id = ${teamId})`;
  await run(
    stage,
    `UPDATE ${s}.reversals AS r SET fate = CASE WHEN ${teamId} IS NULL THEN 'gone'
       WHEN ${isMember} = (r.after IS NOT NULL) THEN 'back' ELSE 'changed' END
     WHERE r.entity = 'user' AND r.field = 'Teams' AND r.fate IS NULL`,
    { org },
  );
  const pairs = `SELECT r.key, k.name_key FROM ${s}.reversals r JOIN teams k ON k.id = ${teamId}
    WHERE r.field = 'Teams' AND r.entity = 'user' AND r.fate = 'back'`;
  const once = 'ON CONFLICT DO NOTHING';
  await run(stage, `INSERT INTO ${s}.leaves (person_key, team_key) ${pairs} AND r.after IS NOT NULL ${once}`, { org });
  await run(stage, `INSERT INTO ${s}.joins (person_key, team_key) ${pairs} AND r.after IS NULL ${once}`, { org });
}

/** Restores date, status and schedule together; deactivates the users whom the run created. */
export async function takeBackDeactivations(
  stage: Stage,
  { now, ownerKey }: PlanContext,
  undoes: number,
): Promise<void> {
  const s = stage.prefix;
  const about = `r.entity = 'user' AND r.field IN ('Status', 'Deactivation Date')`;
  const other = `SELECT 1 FROM ${s}.reversals o WHERE o.entity = 'user' AND o.id = r.id AND o.fate = 'changed'
    AND o.field IN ('Status', 'Deactivation Date')`;
  const current = `CASE r.field WHEN 'Status' THEN p.status ELSE p.deactivation_date END`;
  await run(
    stage,
    `UPDATE ${s}.reversals AS r SET fate = 'changed' FROM ${s}.people p
     WHERE p.id = r.id AND ${about} AND r.fate IS NULL AND ${current} IS DISTINCT FROM r.after
       AND NOT (r.field = 'Status' AND p.deactivated_by = 'import')`,
  );
  await run(
    stage,
    `UPDATE ${s}.reversals AS r SET fate = 'changed' WHERE ${about} AND r.fate IS NULL AND EXISTS (${other})`,
  );
  await run(
    stage,
    `UPDATE ${s}.reversals AS r SET fate = CASE WHEN EXISTS (SELECT 1 FROM schedules_before b
       WHERE b.run_id = :undoes AND b.user_id = r.id) THEN 'back' ELSE 'unrecorded' END WHERE ${about} AND r.fate IS NULL`,
    { undoes },
  );
  // A scheduled deactivation has changed the status since, and the run has no record of that.
  const was = `CASE WHEN b.deactivated_at IS NULL THEN 'active' ELSE 'deactivated' END`;
  await run(
    stage,
    `INSERT INTO ${s}.reversals (entity, id, key, field, item, before, after, fate)
     SELECT 'user', r.id, r.key, 'Status', '', ${was}, p.status, 'back' FROM ${s}.reversals r
     JOIN ${s}.people p ON p.id = r.id JOIN schedules_before b ON b.run_id = :undoes AND b.user_id = r.id
     WHERE r.entity = 'user' AND r.field = 'Deactivation Date' AND r.fate = 'back' AND p.status <> ${was}
       AND NOT EXISTS (SELECT 1 FROM ${s}.reversals o WHERE o.entity = 'user' AND o.id = r.id AND o.field = 'Status')`,
    { undoes },
  );
  await run(
    stage,
    `UPDATE ${s}.people AS p SET status = ${was}, deactivate_at = b.deactivate_at, deactivated_at = b.deactivated_at,
       deactivated_by = b.deactivated_by FROM schedules_before b
     WHERE b.run_id = :undoes AND b.user_id = p.id
       AND EXISTS (SELECT 1 FROM ${s}.reversals r WHERE r.id = p.id AND ${about} AND r.fate = 'back')`,
    { undoes },
  );
  await run(
    stage,
    `UPDATE ${s}.people AS p SET deactivation_date = r.before FROM ${s}.reversals r
     WHERE r.id = p.id AND r.entity = 'user' AND r.field = 'Deactivation Date' AND r.fate = 'back'`,
  );
  await deactivateCreated(stage, now, ownerKey);
}

async function deactivateCreated(stage: Stage, now: number, ownerKey: string): Promise<void> {
  const s = stage.prefix;
  const isCreated = `r.entity = 'user' AND r.field = '' AND r.fate IS NULL`;
  await run(
    stage,
    `UPDATE ${s}.reversals AS r SET fate = 'stays' FROM ${s}.people p WHERE p.id = r.id AND ${isCreated}
       AND (p.status <> 'active' OR p.key = :ownerKey)`,
    { ownerKey },
  );
  // A later file with these users gives them their date again.
  await run(
    stage,
    `INSERT INTO ${s}.reversals (entity, id, key, field, item, before, after, fate)
     SELECT 'user', r.id, r.key, 'Deactivation Date', '', NULL, p.deactivation_date, 'back'
     FROM ${s}.reversals r JOIN ${s}.people p ON p.id = r.id WHERE ${isCreated} AND p.deactivation_date IS NOT NULL`,
  );
  await run(
    stage,
    `UPDATE ${s}.people AS p SET status = 'deactivated', deactivation_date = NULL, deactivate_at = NULL, deactivated_at = CAST(:now AS BIGINT),
       deactivated_by = 'undo' FROM ${s}.reversals r WHERE r.id = p.id AND ${isCreated}`,
    { now },
  );
  await run(
    stage,
    `UPDATE ${s}.reversals AS r SET fate = 'back', field = 'Status', before = 'deactivated', after = 'active' WHERE ${isCreated}`,
  );
}

/** Whether the plan leaves an active admin; true where there is none now. */
export async function isAdminLeft(stage: Stage, org: string): Promise<boolean> {
  const s = stage.prefix;
  const n = (sql: string) => count(stage, `SELECT COUNT(*) AS n FROM ${sql}`, { org });
  const isLasting = (alias: string) =>
    `${alias}.is_admin = 1 AND ${alias}.status = 'active' AND ${alias}.deactivate_at IS NULL`;
  const admins = `users u WHERE u.org_id = :org AND ${isLasting('u')}`;
  const left =
    (await n(`${admins} AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.id = u.id)`)) +
    (await n(`${s}.people p WHERE ${isLasting('p')}`));
  return left > 0 || (await n(admins)) === 0;
}
