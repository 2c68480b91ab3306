/** Warns of a blank `Deactivation Date` of a user who is deactivated, or will be: it brings nobody back (rule U12a). */
import type { Stage } from '../../db/stage.js';
import { createAs, createIndex, pagesByLine } from '../../db/stagesql.js';
import { type CodeName, makeIssue, shorten } from '../codes.js';
import { type ColumnPlan, labelOf } from '../read/columns.js';
import { bindingsOf, isOwnIn, type PlanContext } from './context.js';
import type { IssueLog } from './issuelog.js';

/** A row with a blank date, and the state of its user. */
interface Undated {
  line: number;
  state: keyof typeof codeOf;
}

const codeOf = {
  scheduled: 'date_blank_scheduled',
  import: 'date_blank_deactivated',
  person: 'date_blank_withdrawn',
} as const satisfies Record<string, CodeName>;

/** Reads the plan once the file's changes are made in it. A file without the column says nothing of dates. */
export async function warnOfBlankDates(
  stage: Stage,
  context: PlanContext,
  columns: ColumnPlan,
  issues: IssueLog,
): Promise<void> {
  if (!columns.standard.has('deactivationDate')) return;
  const s = stage.prefix;
  const column = labelOf(columns, 'deactivationDate');
  // A cell that was ignored is not blank: its issues are in the stage. A word that means no value is.
  await issues.flush(true);
  const isOut = (alias: string) => `(${alias}.status = 'deactivated' OR ${alias}.deactivate_at IS NOT NULL)`;
  const state = (alias: string) => `CASE WHEN ${alias}.status = 'active' THEN 'scheduled'
    WHEN ${alias}.deactivated_by = 'import' THEN 'import' ELSE 'person' END`;
  const isBlank = `r.state = 0 AND r.deactivation_date IS NULL
    AND r.status IS DISTINCT FROM 'deactivated' AND NOT EXISTS (SELECT 1 FROM ${s}.issues i
      WHERE i.file = :file AND i.line = r.line AND i.col = :column AND i.code <> 'null_value')`;
  await createAs(
    stage,
    'undated',
    `SELECT r.line AS line, ${state('p')} AS state FROM ${s}.people p CROSS JOIN ${s}.user_rows r
     WHERE r.key = p.key AND ${isOut('p')} AND NOT (${isOwnIn('p')}) AND ${isBlank}
     UNION ALL SELECT r.line, ${state('u')} FROM users u CROSS JOIN ${s}.user_rows r
     WHERE u.org_id = :org AND ${isOut('u')} AND r.key = u.email_key AND ${isBlank}
       AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = u.email_key)`,
    { ...bindingsOf(context), column: shorten(column) },
  );
  await createIndex(stage, 'undated', 'line');
  const query = `SELECT line, state FROM ${s}.undated WHERE line > :after ORDER BY line LIMIT :limit`;
  for await (const page of pagesByLine<Undated>(stage, query))
    await issues.addPage(page, ({ line, state: code }) => makeIssue(codeOf[code], { line, column }, { label: column }));
}
