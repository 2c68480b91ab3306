/** Protects the last admin of an organization: no file demotes or deactivates them (rule U10). */
import type { Stage } from '../../db/stage.js';
import { count, rows, run } from '../../db/stagesql.js';
import { makeIssue } from '../codes.js';
import { cellAt } from '../read/cell.js';
import { type ColumnPlan, labelOf } from '../read/columns.js';
import type { UserColumn } from '../read/labels.js';
import { findRow, type Reading } from '../read/rowstream.js';
import { bindingsOf, type PlanContext } from './context.js';
import type { IssueLog } from './issuelog.js';

/** The row of which cells are ignored, and those cells. */
interface KeptAdmin {
  line: number;
  demotes: boolean;
  deactivates: boolean;
}

/** An active admin without a scheduled deactivation. */
const lasting = (alias: string) =>
  `${alias}.is_admin = 1 AND ${alias}.status = 'active' AND ${alias}.deactivate_at IS NULL`;

/**
 * Where the file would leave no lasting admin, its last row that demotes or deactivates one loses those cells in `user_rows`, and
 * each gets a warning.
 * @param open reads the file again: the stage does not have the cell as it is written.
 */
export async function keepLastAdmin(
  stage: Stage,
  context: PlanContext,
  columns: ColumnPlan,
  open: Reading['open'],
  issues: IssueLog,
): Promise<void> {
  const kept = await clearLoss(stage, context);
  if (kept === null) return;
  const row = await findRow(open, kept.line);
  const warn = (column: UserColumn) => {
    const value = row === null ? null : cellAt(row, columns.standard.get(column));
    issues.add([makeIssue('last_admin', { line: kept.line, column: labelOf(columns, column), value })]);
  };
  if (kept.demotes) warn('isAdmin');
  if (kept.deactivates) warn('deactivationDate');
}

/** null: a lasting admin is left, or the file takes none away. */
async function clearLoss(stage: Stage, context: PlanContext): Promise<KeptAdmin | null> {
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
