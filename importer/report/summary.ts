/** The summary of a run or a file, built from the plan. */
import type { Org } from '../../db/control/orgs.js';
import type { Run } from '../../db/control/runs.js';
import type { Stage } from '../../db/stage.js';
import { nameContact } from '../contact.js';
import { sumFiles } from '../counts.js';
import type { PlannedFile } from '../plan/planfile.js';
import type { Source } from '../read/source.js';
import type { FileOutcome, RunSummary } from '../types.js';
import { listNewFields, listProblems } from './findings.js';

/** Kinds of problems that a summary lists for each file. */
const mostProblems = 10;

/** Of a run that is to be applied, and when is not known yet. @param contact whom the organization's people ask. */
export function summarizeRun(
  { run, org, today, moment }: { run: Run; org: Org; today: string; moment: number },
  files: FileOutcome[],
  contact: string | null,
): RunSummary {
  return {
    run: run.id,
    org: org.id,
    kind: run.kind,
    state: 'applied',
    hold: [],
    note: null,
    contact,
    date: today,
    timeZone: org.timeZone,
    startedAt: run.startedAt ?? moment,
    ...sumFiles(files),
    files,
  };
}

/** What the plan does not say about a file. */
export interface FilePlace {
  /** In the organization's space; null: it is not there. */
  path: string | null;
  /** Whom the organization's people ask. */
  contact: string | null;
  /** false: the plan has no issue of the file; and no file of the run brings a field. */
  hasIssues?: boolean;
  hasFields?: boolean;
}

/** Of a planned file that has no place in the archive and no reports yet. */
export async function summarizeFile(
  stage: Stage,
  file: number,
  { name, bytes, sha256 }: Source,
  plan: PlannedFile,
  { path, contact, hasIssues = true, hasFields = true }: FilePlace,
): Promise<FileOutcome> {
  const { type, rows, users, teams } = plan;
  const refusal =
    plan.refusal === null ? null : { ...plan.refusal, message: nameContact(plan.refusal.message, contact) };
  const state = refusal === null ? 'imported' : 'refused';
  const newFields = refusal === null && hasFields ? await listNewFields(stage, file) : [];
  const found = hasIssues ? await listProblems(stage, file, mostProblems + 1) : [];
  const problems = found
    .slice(0, mostProblems)
    .map((problem) => ({ ...problem, message: nameContact(problem.message, contact) }));
  const nowhere = { archivedAs: null, report: null, rejected: null };
  const moreProblems = found.length > mostProblems;
  return {
    ...{ uploadId: null, name, path, type, state, refusal, bytes, sha256, rows, users, teams },
    ...nowhere,
    newFields,
    problems,
    moreProblems,
  };
}
