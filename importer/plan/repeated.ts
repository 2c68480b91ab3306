/** Cells that repeat what their users have, though it does not fit the field's type: an operator has left it so (rule C3). */

import { type CodeName, shorten } from '../codes.js';
import type { ColumnPlan } from '../read/columns.js';
import type { PlanContext } from './context.js';
import type { IssueLog } from './issues.js';
import type { Stage } from './stage.js';
import { dropRepeated } from './unfit.js';

const unfit: readonly CodeName[] = ['field_mismatch', 'date_ambiguous', 'date_contradictory'];

/** Takes back what was said of them: an export changes nothing, and is read without a word. */
export async function passRepeated(
  stage: Stage,
  context: PlanContext,
  { fields }: ColumnPlan,
  issues: IssueLog,
): Promise<void> {
  const typed = fields.filter(({ field }) => field.type !== 'text');
  if (typed.length === 0 || issues.counts.warning === 0) return;
  await issues.flush(true);
  for (const { field, label } of typed)
    issues.counts.warning -= await dropRepeated(stage, context, field.id, shorten(label), unfit);
}
