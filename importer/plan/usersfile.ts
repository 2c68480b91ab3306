/** Plans the staged rows of a users file: the rules in the order in which they apply (rules U1–U15, C1, C3, G2). */

import { faultDuplicates } from './duplicates.js';
import { identifyUsers } from './identifier.js';
import type { PlanInput, RowCounts, StagedFile } from './input.js';
import { type IssueLog, refuseFaulty } from './issuelog.js';
import { keepLastAdmin } from './lastadmin.js';
import { nameManagers } from './manageridentifiers.js';
import { planMemberships } from './memberships.js';
import { planFields } from './newfields.js';
import { dropRepeatedWarnings } from './repeatedvalues.js';
import { breakManagerRings } from './rings.js';
import { changeUsers, countUsers, gatherUsers, listWaiting } from './users.js';
import { withholdCells } from './withheld.js';

/** @throws RefusalError when too many rows are faulty; RaggedError where the whole file has to be read. */
export async function planUsersFile(input: PlanInput, file: StagedFile, issues: IssueLog): Promise<RowCounts> {
  const { stage, known, settings } = input;
  const { context, columns, reading, rows } = file;
  const hasIdentifier = input.org.options.identifier !== undefined;

  if (!file.areDistinct) await faultDuplicates(stage, 'user_rows', columns, issues);
  input.reportProgress({ phase: 'planning', file: file.name, rows });
  const isPassed = hasIdentifier && (await identifyUsers(input, file, issues));
  refuseFaulty(issues.counts.fault, rows, settings);
  await dropRepeatedWarnings(stage, context, columns, issues);
  await planFields(input, file);

  if (hasIdentifier) await nameManagers(input, file, issues);
  await withholdCells(input, file, 'users', issues);
  await gatherUsers(stage, context, columns);
  const { standard } = columns;
  // Steps over cells that the file does not have: most files have few columns.
  if (standard.has('managerEmail') || hasIdentifier) await breakManagerRings(stage, context, columns, issues);
  if (standard.has('isAdmin') || standard.has('deactivationDate') || columns.status !== null)
    await keepLastAdmin(stage, context, columns, reading.open, issues);
  await changeUsers(stage, context, columns, issues);
  if (standard.has('teams')) await planMemberships(stage, context, hasIdentifier);

  const counts = await countUsers(stage, context);
  counts.unchanged += reading.recognized;
  if (isPassed) known.forgetOthers();
  const waiting = columns.status === null ? null : await listWaiting(stage, context);
  known.settle((line) => file.mayKeep(line) && !issues.lines.has(line) && waiting?.has(line) !== true);
  return counts;
}
