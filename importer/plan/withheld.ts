/** Takes cells out of the staged rows that the organization does not let files apply: owned values, and unknown names. */
import type { FileType } from '../types.js';
import type { PlanInput, StagedFile } from './input.js';
import type { IssueLog } from './issuelog.js';
import { keepOwned } from './owners.js';
import { ignoreUnknown } from './unknown.js';

/** Call once the user or team of each row is known. Each cell that is taken out is reported. */
export async function withholdCells(
  { stage, org }: PlanInput,
  { context, columns }: StagedFile,
  type: FileType,
  issues: IssueLog,
): Promise<void> {
  const { fieldOwners = {}, createMissing } = org.options;
  await keepOwned(stage, context, type, columns, fieldOwners, issues);
  if (createMissing === 'no') await ignoreUnknown(stage, type, columns, issues);
}
