/** From the bytes of one file to its plan: survey, stage, plan in sets, count. Nothing of the directory is changed here. */
import type { Settings } from '../../config/settings.js';
import type { Org } from '../../db/control/orgs.js';
import type { Field } from '../../db/directory/fields.js';
import { type CodeName, makeIssue, RefusalError, refuse } from '../codes.js';
import { noCounts } from '../counts.js';
import { cellAt } from '../read/cells.js';
import { type ColumnPlan, labelOf } from '../read/columns.js';
import type { Survey } from '../read/columnsurvey.js';
import { openFile } from '../read/firstpass.js';
import type { UserColumn } from '../read/header.js';
import type { KnownRows } from '../read/knownrowfilter.js';
import { emailKey, labelKey } from '../read/normalize.js';
import type { Row } from '../read/parse.js';
import { RaggedError } from '../read/records.js';
import { findRow, openRows, type Reading } from '../read/rowstream.js';
import type { Source } from '../read/source.js';
import type { TeamName } from '../read/teamlist.js';
import type { Counts, FileType, Issue, Progress, Refusal } from '../types.js';
import type { Conflict } from './claims.js';
import type { Finding, PlanContext } from './context.js';
import { settleTwins } from './duplicates.js';
import {
  claimUsers,
  followEmail,
  followManagers,
  followOwners,
  passesEmails,
  repeatsIdentifier,
  resolveIdentity,
} from './identifier.js';
import { IssueLog } from './issues.js';
import { keepLastAdmin } from './lastadmin.js';
import { planMemberships } from './memberships.js';
import { passRepeated } from './repeated.js';
import { dropRings } from './rings.js';
import { beginFile, type Stage } from './stage.js';
import { deleteIssues, insertRows } from './stagedrows.js';
import { stageRows } from './staging.js';
import { countStubs } from './stubs.js';
import { changeTeams, countTeams, gatherTeams, parentRelation } from './teams.js';
import { changeUsers, countUsers, gatherUsers, managerRelation } from './users.js';

/** What all files of one run are planned with. */
export interface PlanJob {
  settings: Settings;
  stage: Stage;
  org: Org;
  /** The run's date in the organization's time zone, yyyy-mm-dd, and its moment (ms). */
  today: string;
  now: number;
  /** The organization's custom fields; grows by those that the files bring. */
  fields: Field[];
  /** Old names of renamed teams, by their compared forms. */
  teamAliases: ReadonlyMap<string, TeamName>;
  /** Rows that the directory says. */
  known: KnownRows;
  /** Told at every step; throws to end the run at a safe point. */
  tell(progress: Progress): void;
}

export interface PlannedFile {
  type: FileType | null;
  refusal: Refusal | null;
  /** The header's cells, for the file of rejected rows. */
  header: string[];
  rows: number;
  /** Reads again what was planned, the header first: rows that are known are not among it, faulty ones are. */
  open: () => AsyncGenerator<Row[]>;
  users: Counts;
  teams: Counts;
}

/** A file with fewer faults than this is never refused for their share (rule G2). */
const fewestFaults = 20;

/** Plans the files of a run, in the order in which they are to be applied. Their place numbers them in the stage. */
export async function planFiles(job: PlanJob, sources: readonly Source[]): Promise<PlannedFile[]> {
  const planned: PlannedFile[] = [];
  for (const [file, source] of sources.entries()) planned.push(await planFile(job, file, source));
  // Whom one file only names, a later one may describe: who is left is known at the end.
  for (const [file, { users, teams }] of planned.entries()) {
    const stubs = await countStubs(job.stage, file);
    users.stubs = stubs.users;
    teams.stubs = stubs.teams;
  }
  return planned;
}

/** @param mayLeaveOut whether rows that are known need not be planned. */
async function planFile(job: PlanJob, file: number, source: Source, mayLeaveOut = true): Promise<PlannedFile> {
  const issues = new IssueLog(job.stage, file);
  const open = () => openRows(source, job.settings);
  const planned: PlannedFile = {
    type: null,
    refusal: null,
    header: [],
    rows: 0,
    open,
    users: noCounts(),
    teams: noCounts(),
  };
  try {
    await planRows(job, file, source, mayLeaveOut, planned, issues);
  } catch (error) {
    job.known.settle(() => false);
    if (error instanceof RaggedError && mayLeaveOut) {
      await deleteIssues(job.stage, file);
      return planFile(job, file, source, false);
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

async function planRows(
  job: PlanJob,
  file: number,
  source: Source,
  mayLeaveOut: boolean,
  planned: PlannedFile,
  issues: IssueLog,
): Promise<void> {
  const { settings, stage } = job;
  if (source.bytes > settings.maxFileBytes) {
    throw new RefusalError(refuse('file_too_large', { bytes: source.bytes, limit: settings.maxFileBytes }));
  }
  const { reading, survey, columns } = await openFile(job, source, mayLeaveOut);
  planned.rows = survey.rows;
  planned.open = reading.open;
  if (survey.header === null) {
    issues.add([makeIssue('file_empty', { line: null })]);
    return;
  }
  if (source.isGuessed === true) issues.add([makeIssue('encoding_guessed', { line: null })]);
  planned.type = survey.header.type;
  planned.header = survey.header.cells;
  issues.add(survey.header.warnings);
  if (columns === null) {
    issues.add([makeIssue('no_rows', { line: null })]);
    return;
  }
  await beginFile(stage);
  issues.add(columns.warnings);
  const mayKeep = await stageRows(job, source.name, reading, { ...survey, header: survey.header }, columns, issues);
  const isUsers = survey.header.type === 'users';
  await faultTwins(stage, isUsers, columns, issues);
  job.tell({ phase: 'planning', file: source.name, rows: survey.rows });
  const context = contextOf(job, file);
  const isPassed = isUsers && (await identify(job, context, columns, reading, issues));
  refuseFaulty(issues, survey, settings);
  if (isUsers) {
    await passRepeated(stage, context, columns, issues);
    await addFields(job, file, columns);
    await planUsers(job, context, columns, reading.open, issues);
    Object.assign(planned.users, await countUsers(stage, context));
    planned.users.unchanged += reading.recognized;
    if (isPassed) job.known.forgetOthers();
    job.known.settle((line) => mayKeep(line) && !issues.lines.has(line));
  } else {
    await planTeams(job, context, columns, issues);
    Object.assign(planned.teams, await countTeams(stage, context));
  }
}

function contextOf({ org, today, now }: PlanJob, file: number): PlanContext {
  return {
    org: org.id,
    file,
    today,
    now,
    ownerKey: emailKey(org.ownerEmail),
    replacesTeams: org.teamsMode === 'replace',
  };
}

async function faultTwins(stage: Stage, isUsers: boolean, columns: ColumnPlan, issues: IssueLog): Promise<void> {
  const code = isUsers ? 'email_twice' : 'team_twice';
  const column = labelOf(columns, isUsers ? 'email' : 'name');
  for await (const page of settleTwins(stage, isUsers ? 'user_rows' : 'team_rows'))
    await tell(page, issues, ({ line, value, others }) =>
      makeIssue(code, { line, column, value }, { lines: nameLines(others) }),
    );
}

const conflictCodes: Record<Conflict['kind'], CodeName> = {
  twice: 'identifier_twice',
  shared: 'identifier_shared',
  taken: 'identifier_conflict',
  needed: 'identifier_needed',
};

/**
 * Finds whom the rows of a file are about where an identifier tells (rule U15).
 * @returns whether some email means another user after the run than before it.
 */
async function identify(
  { stage, org }: PlanJob,
  context: PlanContext,
  { identifier }: ColumnPlan,
  { recognized }: Reading,
  issues: IssueLog,
): Promise<boolean> {
  const option = org.options.identifier;
  if (option === undefined || !(await claimUsers(stage, context, identifier?.field.id ?? null))) return false;
  const isPassed = await passesEmails(stage);
  // Whom a row that was left out names as the manager may be somebody else then; or its identifier stands twice.
  if (recognized > 0 && (isPassed || (await repeatsIdentifier(stage))))
    throw new RaggedError('rows depend on those that were left out');
  const label = identifier?.label ?? option;
  for await (const page of resolveIdentity(stage, context))
    await tell(page, issues, ({ line, value, others, kind }) =>
      makeIssue(conflictCodes[kind], { line, column: label, value }, { label, lines: nameOthers(kind, others) }),
    );
  return isPassed;
}

function nameOthers(kind: Conflict['kind'], lines: readonly number[]): string {
  if (lines.length === 0) return '';
  return kind === 'needed' ? ` (${nameLines(lines)})` : nameLines(lines);
}

function refuseFaulty(issues: IssueLog, { rows }: Survey, settings: Settings): void {
  const faults = issues.counts.fault;
  if (faults >= fewestFaults && faults > rows * settings.maxFaultShare) {
    throw new RefusalError(refuse('too_many_faults', { faults, rows }));
  }
}

async function addFields(job: PlanJob, file: number, { newFields }: ColumnPlan): Promise<void> {
  const columns = [
    'id TEXT',
    'label TEXT',
    'label_key TEXT',
    'type TEXT',
    'position INT',
    'created_at BIGINT',
    'file INT',
  ];
  const rows = newFields.map((field) => [
    field.id,
    field.label,
    labelKey(field.label),
    field.type,
    field.position,
    field.createdAt,
    file,
  ]);
  await insertRows(job.stage, 'fields', columns, rows);
  job.fields.push(...newFields);
}

async function planUsers(
  { stage, org }: PlanJob,
  context: PlanContext,
  columns: ColumnPlan,
  open: PlannedFile['open'],
  issues: IssueLog,
): Promise<void> {
  const hasIdentifier = org.options.identifier !== undefined;
  if (hasIdentifier) await followManagers(stage, context);
  await gatherUsers(stage, context);
  for await (const page of dropRings(stage, managerRelation(stage), context))
    await tell(page, issues, (finding) => makeRing('manager_ring', labelOf(columns, 'managerEmail'), finding));
  const kept = await keepLastAdmin(stage, context);
  if (kept !== null) {
    // The stage has only what the cells mean.
    const row = await findRow(open, kept.line);
    const warn = (column: UserColumn) => {
      const value = row === null ? null : cellAt(row, columns.standard.get(column));
      issues.add([makeIssue('last_admin', { line: kept.line, column: labelOf(columns, column), value })]);
    };
    if (kept.demotes) warn('isAdmin');
    if (kept.deactivates) warn('deactivationDate');
  }
  await changeUsers(stage, context);
  const ownerKey = hasIdentifier ? await followEmail(stage, context, context.ownerKey) : context.ownerKey;
  await planMemberships(stage, { ...context, ownerKey });
}

async function planTeams(
  { stage, org }: PlanJob,
  context: PlanContext,
  columns: ColumnPlan,
  issues: IssueLog,
): Promise<void> {
  const hasIdentifier = org.options.identifier !== undefined;
  if (hasIdentifier) await followOwners(stage, context);
  const ownerKey = hasIdentifier ? await followEmail(stage, context, context.ownerKey) : context.ownerKey;
  await gatherTeams(stage, { ...context, ownerKey });
  for await (const page of dropRings(stage, parentRelation(stage), context))
    await tell(page, issues, (finding) => makeRing('parent_ring', labelOf(columns, 'parent'), finding));
  await changeTeams(stage, context);
}

/** Adds a page of findings to the report. */
async function tell<T>(page: readonly T[], issues: IssueLog, toIssue: (finding: T) => Issue): Promise<void> {
  issues.add(page.map(toIssue));
  await issues.flush();
}

function makeRing(code: CodeName, column: string, { line, value, others }: Finding): Issue {
  return makeIssue(code, { line, column, value }, { lines: others.length === 0 ? '' : ` with ${nameLines(others)}` });
}

function nameLines(lines: readonly number[]): string {
  if (lines.length === 1) return `line ${lines[0]}`;
  return `lines ${lines.slice(0, -1).join(', ')} and ${lines[lines.length - 1]}`;
}
