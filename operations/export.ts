/** Exports of the directory: CSV under the standard labels, which imports again and then changes nothing. */
import { stringify } from 'csv-stringify/sync';
import { DateTime } from 'luxon';
import type { Queryable } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import type { DateFormat, Org } from '../db/control/orgs.js';
import { findAppliedAt } from '../db/directory/applied.js';
import { type Field, listFields } from '../db/directory/fields.js';
import { countTeams, listTeams } from '../db/directory/teams.js';
import { countUsers, listUsers, type User } from '../db/directory/users.js';
import { readMoment } from '../db/moment.js';
import { formatDate } from '../importer/read/dates.js';
import { guardFormula, keepText } from '../importer/read/formulaguard.js';
import { byteOrderMark, markOf } from '../importer/report/csv.js';
import { type Advance, type OnAdvance, shareOf } from './advance.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

const pageSize = 2000;
/** An export ends when the reader of its pipe takes nothing for this time. */
const patienceMs = 10 * 60_000;

const userLabels = [
  'User Email',
  'User Name',
  'First Name',
  'Last Name',
  'Manager Email',
  'Teams',
  'User Account Type',
  'Is Org Admin',
  'Deactivation Date',
  'Status',
];

const teamLabels = ['Team Name', 'Owner Email', 'Parent Team', 'Team Type'];

export interface ExportFilter {
  /** A date, a time, or the number of a run: only rows changed then or later. */
  changedSince?: string | undefined;
  /** Only active users. */
  active?: boolean | undefined;
  /** Only users whom events of the directory with higher numbers tell. */
  changedAfterEvent?: number | undefined;
  /** Whether a spreadsheet may open and save it without a change of numbers, dates and letters. */
  forSpreadsheet?: boolean | undefined;
}

export interface RecordedExport extends Pick<ExportFilter, 'changedSince' | 'active'> {
  /** Where it is written to; left out: to the operator. */
  to?: string;
  /** Id of an export that is made by itself. */
  export?: string;
}

/** The parts of a workplace that an export reads. */
export type ExportPlace = Pick<Workplace, 'org' | 'directory'>;

/** Records the export in the audit trail; call it before the first byte is written. @throws OperationError `not_found` */
export async function recordExport(
  workplace: Pick<Workplace, 'org' | 'control' | 'now' | 'actor'>,
  orgId: string,
  what: 'users' | 'teams',
  { changedSince, active, to, export: id }: RecordedExport,
): Promise<void> {
  const { id: org } = await workplace.org(orgId);
  const event = { at: workplace.now(), org, actor: workplace.actor, action: 'directory.exported', subject: what };
  await recordAudit(workplace.control.write, { ...event, detail: { changedSince, active, to, export: id } });
}

/**
 * The users as CSV text in pieces, as of one moment: a concurrent import does not change the export.
 * @throws OperationError; DatabaseError `stalled`
 */
export async function* exportUsers(
  workplace: ExportPlace,
  orgId: string,
  filter: ExportFilter = {},
  onProgress: OnAdvance = () => {},
): AsyncGenerator<string> {
  const org = await workplace.org(orgId);
  yield* readMoment(workplace.directory, (db) => listUserRows(db, org, filter, onProgress), patienceMs);
}

/** The teams, as exportUsers. */
export async function* exportTeams(
  workplace: ExportPlace,
  orgId: string,
  filter: ExportFilter = {},
  onProgress: OnAdvance = () => {},
): AsyncGenerator<string> {
  const org = await workplace.org(orgId);
  yield* readMoment(workplace.directory, (db) => listTeamRows(db, org, filter, onProgress), patienceMs);
}

async function* listUserRows(
  db: Queryable,
  org: Org,
  filter: ExportFilter,
  onProgress: OnAdvance,
): AsyncGenerator<string> {
  const changedSince = await readSince(db, org, filter.changedSince);
  const { changedAfterEvent } = filter;
  const status = filter.active === true ? ('active' as const) : undefined;
  const all = await listFields(db, org.id);
  const fields = all.filter(({ hidden }) => !hidden).sort((a, b) => compare(a.label, b.label));
  const toCsv = csvOf(filter);
  // Another filter has no total: to count its rows takes as long as to read them.
  const isWhole = changedSince === undefined && changedAfterEvent === undefined;
  let [rows, total]: [number, number | null] = [0, null];
  yield beginningOf(org, filter) + toCsv([[...userLabels, ...fields.map((field) => field.label)]]);
  for (let after: string | null = null; ; ) {
    const users: User[] = await listUsers(db, org.id, {
      after,
      limit: pageSize,
      status,
      changedSince,
      changedAfterEvent,
    });
    // A file that names users whom an undo deactivated would activate them again.
    const shown = users.filter((user) => user.deactivatedBy !== 'undo');
    if (shown.length > 0) yield toCsv(shown.map((user) => userCells(user, fields, org.dateFormat)));
    rows += users.length;
    if (users.length < pageSize) return;
    if (onProgress !== undefined) {
      total ??= isWhole ? await countActive(db, org, status) : null;
      onProgress(advanceOf('exporting the users', rows, total));
    }
    after = users.at(-1)!.emailKey;
  }
}

async function* listTeamRows(
  db: Queryable,
  org: Org,
  filter: ExportFilter,
  onProgress: OnAdvance,
): AsyncGenerator<string> {
  const since = await readSince(db, org, filter.changedSince);
  const toCsv = csvOf(filter);
  let [rows, total]: [number, number | null] = [0, null];
  yield beginningOf(org, filter) + toCsv([teamLabels]);
  for (let after: string | null = null; ; ) {
    const teams: Awaited<ReturnType<typeof listTeams>> = await listTeams(db, org.id, after, pageSize, since);
    if (teams.length > 0) yield toCsv(teams.map((team) => [team.name, team.ownerEmail, team.parentName, team.type]));
    rows += teams.length;
    if (teams.length < pageSize) return;
    if (onProgress !== undefined) {
      total ??= since === undefined ? await countTeams(db, org.id) : null;
      onProgress(advanceOf('exporting the teams', rows, total));
    }
    after = teams.at(-1)!.nameKey;
  }
}

async function countActive(db: Queryable, org: Org, status: 'active' | undefined): Promise<number> {
  const { active, deactivated } = await countUsers(db, org.id);
  return status === 'active' ? active : active + deactivated;
}

function advanceOf(phase: string, rows: number, total: number | null): Advance {
  const amount = total === null ? `${rows} rows` : `${rows} of ${total} rows`;
  return { phase, amount, done: rows, unit: 'rows', share: shareOf(rows, total), name: null };
}

/** Guards cells against being run as formulas, or changed, by a spreadsheet; an import removes the guard. */
function csvOf({ forSpreadsheet }: ExportFilter): (rows: readonly (readonly (string | null)[])[]) => string {
  const guard = forSpreadsheet === true ? keepText : guardFormula;
  return (rows) => stringify(rows.map((cells) => cells.map((cell) => (cell === null ? null : guard(cell)))));
}

/** A spreadsheet takes UTF-8 without a byte order mark for something else. */
function beginningOf({ options }: Org, { forSpreadsheet }: ExportFilter): string {
  return forSpreadsheet === true ? byteOrderMark : markOf(options);
}

/** undefined: all. @throws OperationError `usage`, `not_found` */
async function readSince(db: Queryable, org: Org, text: string | undefined): Promise<number | undefined> {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) {
    const at = await findAppliedAt(db, org.id, Number(text));
    if (at === null) throw new OperationError('not_found', `no run ${text} of ${org.id} was applied`);
    return at;
  }
  const time = DateTime.fromISO(text, { zone: org.timeZone });
  if (!time.isValid)
    throw new OperationError('usage', `"${text}" is neither a date such as 2026-01-31 nor the number of a run`);
  return time.toMillis();
}

function userCells(user: User, fields: readonly Field[], format: DateFormat): (string | null)[] {
  const date = (text: string) => (/^\d{4}-\d\d-\d\d$/.test(text) ? formatDate(text, format) : text);
  return [
    user.email,
    user.userName,
    user.firstName,
    user.lastName,
    user.managerEmail,
    joinTeams(user.teams),
    user.accountType,
    user.isAdmin ? 'Yes' : 'No',
    user.deactivationDate === null ? null : date(user.deactivationDate),
    user.status,
    ...fields.map(({ id, type }) => {
      const value = user.custom[id];
      if (value === undefined) return null;
      return type === 'date' ? date(value) : value;
    }),
  ];
}

/** The `Teams` cell (rule U6): a name with a separator, a quote or a backslash stands in double quotes, a quote doubled. */
export function joinTeams(names: readonly string[]): string {
  return names.map((name) => (/[",;|\\]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)).join(',');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
