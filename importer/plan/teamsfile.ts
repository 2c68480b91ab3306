/** Plans the staged rows of a teams file: the rules in the order in which they apply (rules T1–T4, G2). */
import { faultDuplicates } from './duplicates.js';
import { followEmail, followOwners } from './emailholders.js';
import type { PlanInput, RowCounts, StagedFile } from './input.js';
import { type IssueLog, refuseFaulty } from './issuelog.js';
import { breakParentRings } from './rings.js';
import { changeTeams, countTeams, gatherTeams } from './teams.js';
import { withholdCells } from './withheld.js';

/** @throws RefusalError when too many rows are faulty. */
export async function planTeamsFile(input: PlanInput, file: StagedFile, issues: IssueLog): Promise<RowCounts> {
  const { stage, settings } = input;
  const { context, columns, rows } = file;
  const hasIdentifier = input.org.options.identifier !== undefined;

  await faultDuplicates(stage, 'team_rows', columns, issues);
  input.reportProgress({ phase: 'planning', file: file.name, rows });
  refuseFaulty(issues.counts.fault, rows, settings);

  if (hasIdentifier) await followOwners(stage, context);
  await withholdCells(input, file, 'teams', issues);
  const ownerKey = hasIdentifier ? await followEmail(stage, context, context.ownerKey) : context.ownerKey;
  await gatherTeams(stage, { ...context, ownerKey });
  await breakParentRings(stage, context, columns, issues);
  await changeTeams(stage, context);
  return countTeams(stage, context);
}
