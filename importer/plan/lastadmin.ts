/** Protects the last admin of an organization: no file demotes or deactivates them (rule U10). */
import type { Stage } from '../../db/stage.js';
import { count, rows, run } from '../../db/stagesql.js';
import { makeIssue } from '../codes.js';
import { cellAt } from '../read/cell.js';
import { type ColumnPlan, labelOf } from '../read/columns.js';
import { noEnd } from '../read/dates.js';
import { findRow, type Reading } from '../read/rowstream.js';
import { bindingsOf, type PlanContext } from './context.js';
import { planDeactivation } from './deactivation.js';
import type { IssueLog } from './issuelog.js';

/** The row of which cells are ignored, and those cells. */
interface KeptAdmin {
  line: number;
  demotes: boolean;
  /** By its date, and by its status. */
  ends: boolean;
  leaves: boolean;
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
  const warn = (column: string, index: number | undefined) => {
    const value = row === null ? null : cellAt(row, index);
    issues.add([makeIssue('last_admin', { line: kept.line, column, value })]);
  };
  if (kept.demotes) warn(labelOf(columns, 'isAdmin'), columns.standard.get('isAdmin'));
  if (kept.ends) warn(labelOf(columns, 'deactivationDate'), columns.standard.get('deactivationDate'));
  if (kept.leaves) warn(columns.status!.label, columns.status!.index);
}

/** Whether the staged rows demote or deactivate any lasting admin. */
export async function takesAdmin(stage: Stage, context: PlanContext): Promise<boolean> {
  const { loses } = lossesOf(stage);
  return (await rows(stage, `SELECT 1 AS one ${loses} LIMIT 1`, bindingsOf(context))).length > 0;
}

/** SQL: the staged rows and their users; how such a user will be; and those of the rows that take a lasting admin away. */
function lossesOf({ prefix: s }: Stage) {
  const rowOf = `FROM ${s}.people p CROSS JOIN ${s}.user_rows r WHERE r.key = p.key AND r.state = 0`;
  const { status, deactivateAt } = planDeactivation();
  const willLast = `COALESCE(r.is_admin, p.is_admin) = 1 AND ${status} = 'active' AND ${deactivateAt} IS NULL`;
  const wasThere = `NOT (p.is_new = 1 AND p.is_stub = 0 AND p.file = :file)`;
  const loses = `${rowOf} AND ${wasThere} AND ${lasting('p')} AND NOT (${willLast})`;
  return { rowOf, willLast, wasThere, loses };
}

/** null: a lasting admin is left, or the file takes none away. */
async function clearLoss(stage: Stage, context: PlanContext): Promise<KeptAdmin | null> {
  const s = stage.prefix;
  const bindings = bindingsOf(context);
  const { rowOf, willLast, wasThere, loses } = lossesOf(stage);
  const [loser] = await rows<{
    line: number;
    is_admin: number | null;
    deactivation_date: string | null;
    status: string | null;
  }>(stage, `SELECT r.line, r.is_admin, r.deactivation_date, r.status ${loses} ORDER BY r.line DESC LIMIT 1`, bindings);
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
    `SELECT COUNT(*) AS n ${rowOf} AND ${wasThere} AND NOT (${lasting('p')}) AND ${willLast}`,
    bindings,
  );
  if (untouched + planned - losing + gaining > 0) return null;
  const { line } = loser;
  await run(
    stage,
    `UPDATE ${s}.user_rows SET deactivation_date = CASE deactivation_date WHEN :noEnd THEN deactivation_date END,
       deactivation_at = NULL, status = CASE status WHEN 'deactivated' THEN NULL ELSE status END,
       is_admin = CASE is_admin WHEN 0 THEN NULL ELSE is_admin END WHERE line = :line`,
    { line, noEnd },
  );
  return {
    line,
    demotes: loser.is_admin === 0,
    ends: loser.deactivation_date !== null && loser.deactivation_date !== noEnd,
    leaves: loser.status === 'deactivated',
  };
}
