/** Plans the rows of several small users files as if they were one file: the rules in the order in which they apply, as planUsersFile. */
import { contextOf, type PlanContext } from './context.js';
import { lastPerson, placeRows, renumberPeople, stageRows } from './grouprows.js';
import type { PlanInput } from './input.js';
import { IssueLog } from './issuelog.js';
import { takesAdmin } from './lastadmin.js';
import { planMemberships } from './memberships.js';
import { breakManagerRings, replacesManagers } from './rings.js';
import type { SmallFile } from './smallfile.js';
import { checkStageBudget } from './stagebudget.js';
import { rejectUnsound } from './unsoundaddresses.js';
import { changeUsers, gatherUsers } from './users.js';

/** false: planned one after the other they may give another plan. */
export async function planTogether(input: PlanInput, files: readonly SmallFile[]): Promise<boolean> {
  const { stage, org, today, now } = input;
  const first = files[0]!;
  const { columns } = first.input;
  const { standard } = columns;
  // No file of the run has this number.
  const context: PlanContext = { ...contextOf(org, -1 - first.file, today, now), hasManyFiles: input.hasManyFiles };
  // Any issue that is found here belongs to one of the files, and would have been found before the files after it.
  const issues = new IssueLog(stage, context.file, input.settings);
  const hasIssues = () => Object.values(issues.counts).some((count) => count > 0);
  await stageRows(stage, files);
  await checkStageBudget(stage, input.settings);
  await rejectUnsound(input, first.input, issues);
  if (hasIssues()) return false;

  const mark = standard.has('managerEmail') ? await lastPerson(stage) : null;
  await gatherUsers(stage, context, columns);
  if (mark !== null) await breakManagerRings(stage, context, columns, issues);
  if (hasIssues()) return false;
  if ((standard.has('isAdmin') || standard.has('deactivationDate')) && (await takesAdmin(stage, context))) return false;
  await changeUsers(stage, context, columns, issues);
  if (hasIssues() || (mark !== null && (await replacesManagers(stage, context)))) return false;
  if (standard.has('teams')) await planMemberships(stage, context, false);
  await placeRows(stage, context);
  if (mark !== null) await renumberPeople(stage, mark);
  return true;
}
