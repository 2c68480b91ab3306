/** Keeps an organization its last admin: no file demotes or deactivates them (rule U10). */
import { bindingsOf, count, type PlanContext, rows, run } from './context.js';
import type { Stage } from './stage.js';

/** The row whose cells were ignored, and which of them. */
export interface KeptAdmin {
  line: number;
  demotes: boolean;
  deactivates: boolean;
}

/** A user for whom nothing ends their being an admin: neither a scheduled nor a past deactivation. */
const lasting = (alias: string) =>
  `${alias}.is_admin = 1 AND ${alias}.status = 'active' AND ${alias}.deactivate_at IS NULL`;

/** Where the file would leave nobody a lasting admin, the last of its rows that does so loses the cells that do. */
export async function keepLastAdmin(stage: Stage, context: PlanContext): Promise<KeptAdmin | null> {
  const s = stage.prefix;
  const bindings = bindingsOf(context);
  const rowOf = `FROM ${s}.people p CROSS JOIN ${s}.user_rows r WHERE r.key = p.key AND r.state = 0`;
  const endsDate = 'r.deactivation_date IS NOT NULL AND r.deactivation_date IS DISTINCT FROM p.deactivation_date';
  const wasThere = `NOT (p.is_new = 1 AND p.is_stub = 0 AND p.file = :file)`;
  const loses = `${rowOf} AND ${wasThere} AND ${lasting('p')} AND (r.is_admin = 0 OR (${endsDate}))`;
  const [loser] = await rows<{
    line: number;
    is_admin: number | null;
    deactivation_date: string | null;
  }>(stage, `SELECT r.line, r.is_admin, r.deactivation_date ${loses} ORDER BY r.line DESC LIMIT 1`, bindings);
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
  const { line } = loser;
  await run(
    stage,
    `UPDATE ${s}.user_rows SET deactivation_date = NULL, deactivation_at = NULL,
       is_admin = CASE is_admin WHEN 0 THEN NULL ELSE is_admin END WHERE line = :line`,
    { line },
  );
  return { line, demotes: loser.is_admin === 0, deactivates: loser.deactivation_date !== null };
}
