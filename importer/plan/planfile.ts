/** Plans one file: opens it, stages its rows, and plans them as users or as teams; or refuses it. */
import { makeIssue, RefusalError, refuse } from '../codes.js';
import { noCounts } from '../counts.js';
import { type OpenedFile, openFile } from '../read/firstpass.js';
import { openRows, type Reading } from '../read/rowstream.js';
import type { Source } from '../read/source.js';
import type { Counts, FileType, Issue, Refusal } from '../types.js';
import type { FileInput, PlanInput, StagedFile } from './input.js';
import { deleteIssues, IssueLog } from './issuelog.js';
import { mayReadOnce, readAgain, stageWhileRead } from './onereading.js';
import { stageFile } from './staging.js';
import { planTeamsFile } from './teamsfile.js';
import { planUsersFile } from './usersfile.js';

export interface PlannedFile {
  type: FileType | null;
  refusal: Refusal | null;
  /** The label that the file has for each standard column. */
  labels: ReadonlyMap<string, string>;
  /** The header's cells, for the file of rejected rows. */
  header: string[];
  /** Data rows. */
  rows: number;
  /** false: the stage has no issue of the file, unless one was added after the file was planned. */
  hasIssues: boolean;
  /** Whether it may create custom fields. */
  hasNewFields: boolean;
  /** Reads the planned rows again, the header first: faulty rows are among them, known rows are not. */
  open: Reading['open'];
  users: Counts;
  teams: Counts;
}

/**
 * Plans the file into the stage. A refusal is an outcome, with its issue in the stage.
 * @param file its position in the run.
 * @param mayLeaveOut whether known rows may be left out.
 */
export async function planFile(
  input: PlanInput,
  file: number,
  source: Source,
  mayLeaveOut = true,
  isReadOnce = mayReadOnce(input),
): Promise<PlannedFile> {
  const issues = new IssueLog(input.stage, file, input.settings);
  const planned = beginFile(input, source);
  try {
    await planRows(input, file, source, mayLeaveOut, isReadOnce, planned, issues);
  } catch (error) {
    input.known.settle(() => false);
    const again = readAgain(error, mayLeaveOut);
    if (again !== null) {
      await deleteIssues(input.stage, file);
      return planFile(input, file, source, again.mayLeaveOut, false);
    }
    if (!(error instanceof RefusalError)) throw error;
    planned.refusal = error.refusal;
    issues.add([{ ...error.refusal, severity: 'refusal', value: null }]);
  }
  await endFile(planned, issues);
  return planned;
}

/** A file of which nothing is known yet. */
export function beginFile({ settings }: Pick<PlanInput, 'settings'>, source: Source): PlannedFile {
  return {
    type: null,
    refusal: null,
    labels: new Map(),
    header: [],
    rows: 0,
    hasIssues: false,
    hasNewFields: false,
    open: () => openSent(source, settings),
    users: noCounts(),
    teams: noCounts(),
  };
}

/** Writes the rest of the file's issues, and counts them. */
export async function endFile(planned: PlannedFile, issues: IssueLog): Promise<void> {
  await issues.flush(true);
  planned.hasIssues = Object.values(issues.counts).some((count) => count > 0);
  const own = planned.type === 'teams' ? planned.teams : planned.users;
  own.faults = issues.counts.fault;
  own.warnings = issues.counts.warning;
  own.refused = planned.refusal === null ? 0 : 1;
}

/** The rows as they were sent: a rejected row goes back to its sender without the changes of the import hook. */
function openSent({ mapper: _none, ...source }: Source, settings: PlanInput['settings']): ReturnType<Reading['open']> {
  return openRows(source, settings);
}

async function readSentHeader({ open }: PlannedFile): Promise<string[]> {
  for await (const [header] of open()) return header!.cells;
  return [];
}

/** @throws RefusalError; RaggedError where the whole file has to be read. */
async function planRows(
  input: PlanInput,
  file: number,
  source: Source,
  mayLeaveOut: boolean,
  isReadOnce: boolean,
  planned: PlannedFile,
  issues: IssueLog,
): Promise<void> {
  let staged: StagedFile | null;
  if (isReadOnce) staged = await stageAtOnce(input, file, source, planned, issues);
  else {
    const opened = await openSound(input, file, source, mayLeaveOut, planned, issues);
    staged = opened === null ? null : await stageFile(input, opened, issues);
  }
  if (staged === null) return;
  if (planned.type === 'users') Object.assign(planned.users, await planUsersFile(input, staged, issues));
  else Object.assign(planned.teams, await planTeamsFile(input, staged, issues));
}

/** Reads the file once. null: it has no row. @throws MisguessError where it has to be read twice. */
async function stageAtOnce(
  input: PlanInput,
  file: number,
  source: Source,
  planned: PlannedFile,
  issues: IssueLog,
): Promise<StagedFile | null> {
  checkSize(input, source);
  return stageWhileRead(input, file, source, issues, (opened) =>
    tellOpened(file, source, opened, planned, (found) => issues.addBefore(found)),
  );
}

/**
 * Opens the file and reports on its header and columns; null: it has no row to plan.
 * @throws RefusalError
 */
export async function openSound(
  input: PlanInput,
  file: number,
  source: Source,
  mayLeaveOut: boolean,
  planned: PlannedFile,
  issues: IssueLog,
): Promise<FileInput | null> {
  checkSize(input, source);
  const opened = await openFile(input, source, mayLeaveOut);
  return tellOpened(file, source, opened, planned, (found) => issues.add(found));
}

function checkSize({ settings: { maxFileBytes: limit } }: PlanInput, { bytes }: Source): void {
  if (bytes > limit) throw new RefusalError(refuse('file_too_large', { bytes, limit }));
}

/** Reports on the header and the columns; null: the file has no row to plan. */
async function tellOpened(
  file: number,
  source: Source,
  { reading, survey: { header, rows }, columns }: OpenedFile,
  planned: PlannedFile,
  report: (found: readonly Issue[]) => void,
): Promise<FileInput | null> {
  planned.rows = rows;
  const isMapped = source.mapper !== undefined;
  if (!isMapped) planned.open = reading.open;
  if (header === null) {
    report([makeIssue('file_empty', { line: null })]);
    return null;
  }
  if (source.isGuessed === true) report([makeIssue('encoding_guessed', { line: null })]);
  planned.type = header.type;
  planned.header = isMapped ? await readSentHeader(planned) : header.cells;
  report(header.warnings);
  if (columns === null) {
    report([makeIssue('no_rows', { line: null })]);
    return null;
  }
  planned.labels = columns.labels;
  planned.hasNewFields = columns.newFields.length > 0;
  report(columns.warnings);
  return { file, name: source.name, rows, header, columns, reading };
}
