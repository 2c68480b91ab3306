/** Plans one file: opens it, stages its rows, and plans them as users or as teams; or refuses it. */
import { makeIssue, RefusalError, refuse } from '../codes.js';
import { noCounts } from '../counts.js';
import { openFile } from '../read/firstpass.js';
import { RaggedError } from '../read/records.js';
import { openRows, type Reading } from '../read/rowstream.js';
import type { Source } from '../read/source.js';
import type { Counts, FileType, Refusal } from '../types.js';
import type { PlanInput } from './input.js';
import { deleteIssues, IssueLog } from './issuelog.js';
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
): Promise<PlannedFile> {
  const issues = new IssueLog(input.stage, file, input.settings);
  const planned: PlannedFile = {
    type: null,
    refusal: null,
    labels: new Map(),
    header: [],
    rows: 0,
    open: () => openSent(source, input.settings),
    users: noCounts(),
    teams: noCounts(),
  };
  try {
    await planRows(input, file, source, mayLeaveOut, planned, issues);
  } catch (error) {
    input.known.settle(() => false);
    if (error instanceof RaggedError && mayLeaveOut) {
      await deleteIssues(input.stage, file);
      return planFile(input, file, source, false);
    }
    if (!(error instanceof RefusalError)) throw error;
    planned.refusal = error.refusal;
    issues.add([{ ...error.refusal, severity: 'refusal', value: null }]);
  }
  await issues.flush(true);
  const own = planned.type === 'teams' ? planned.teams : planned.users;
  own.faults = issues.counts.fault;
  own.warnings = issues.counts.warning;
  own.refused = planned.refusal === null ? 0 : 1;
  return planned;
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
  planned: PlannedFile,
  issues: IssueLog,
): Promise<void> {
  const limit = input.settings.maxFileBytes;
  if (source.bytes > limit) throw new RefusalError(refuse('file_too_large', { bytes: source.bytes, limit }));
  const { reading, survey, columns } = await openFile(input, source, mayLeaveOut);
  const { header, rows } = survey;
  planned.rows = rows;
  const isMapped = source.mapper !== undefined;
  if (!isMapped) planned.open = reading.open;
  if (header === null) {
    issues.add([makeIssue('file_empty', { line: null })]);
    return;
  }
  if (source.isGuessed === true) issues.add([makeIssue('encoding_guessed', { line: null })]);
  planned.type = header.type;
  planned.header = isMapped ? await readSentHeader(planned) : header.cells;
  issues.add(header.warnings);
  if (columns === null) {
    issues.add([makeIssue('no_rows', { line: null })]);
    return;
  }
  planned.labels = columns.labels;
  issues.add(columns.warnings);
  const staged = await stageFile(input, { file, name: source.name, rows, header, columns, reading }, issues);
  if (header.type === 'users') Object.assign(planned.users, await planUsersFile(input, staged, issues));
  else Object.assign(planned.teams, await planTeamsFile(input, staged, issues));
}
