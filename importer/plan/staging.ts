/** The second pass over a file: its rows, typed, into the stage; and those of users noted, to be known the next time. */

import { makeIssue } from '../codes.js';
import { readTeam, readUser } from '../read/cells.js';
import type { ColumnPlan } from '../read/columns.js';
import { fitsHeader, type Survey } from '../read/columnsurvey.js';
import { readDate } from '../read/dates.js';
import { formOf } from '../read/firstpass.js';
import { readCell } from '../read/formula.js';
import type { Header } from '../read/header.js';
import { digestOf, mostKnownRows } from '../read/knownrowfilter.js';
import { LineSet } from '../read/lineset.js';
import type { Row } from '../read/parse.js';
import type { DigestedRow, Reading } from '../read/rowstream.js';
import { startOfDay } from '../schedule/calendar.js';
import type { Issue } from '../types.js';
import { analyze, createIndex } from './context.js';
import type { IssueLog } from './issues.js';
import type { PlanJob } from './plan.js';
import { stageTeams, stageUsers } from './stagedrows.js';

/**
 * In batches of what one chunk of the file holds.
 * @returns whether a row may be known by its digest the next time, as far as staging can tell.
 */
export async function stageRows(
  job: PlanJob,
  name: string,
  reading: Reading,
  { header, rows }: Survey & { header: Header },
  columns: ColumnPlan,
  issues: IssueLog,
): Promise<(line: number) => boolean> {
  const isTooLong = rows > mostKnownRows;
  if (header.type === 'users' && isTooLong) job.known.forgetOthers();
  const known = header.type === 'users' && !isTooLong ? job.known : null;
  const deciding = new DecidingRows(columns);
  const begin = ({ line, digest }: DigestedRow) => {
    if (known !== null && digest !== null && line === 1) known.begin(formOf(digest, columns), rows);
  };
  const note = (row: DigestedRow, key: string) => {
    known?.note(row.digest ?? unsure, digestOf(key), row.line);
    deciding.look(row);
  };
  const read = readerOf(job, header, columns, note);
  let staged = 0;
  // The database writes one batch while the next is parsed: they keep two cores busy.
  let writing = Promise.resolve();
  const batches = known === null ? withoutDigests(reading.open()) : reading.openDigested();
  for await (const batch of batches) {
    const data = staged === 0 ? batch.slice(1) : batch;
    if (staged === 0) begin(batch[0]!);
    const found: Issue[] = [];
    const whole = data.filter((row) => {
      const fits = fitsHeader(row, header);
      if (!fits) found.push(miscounted(row, header));
      return fits;
    });
    const write = read(whole, found);
    issues.add(found);
    await writing;
    writing = write().then(() => issues.flush());
    // Its failure is met at the next `await writing`.
    writing.catch(() => {});
    staged += batch.length;
    job.tell({ phase: 'staging', file: name, rows: staged });
  }
  await writing;
  const table = header.type === 'users' ? 'user_rows' : 'team_rows';
  await createIndex(job.stage, table, 'key, line', 'key');
  await analyze(job.stage, table);
  // Values of a column that is ignored are told of once for all rows: they would not be, if these were left out.
  const isSilent = columns.warnings.every(({ code }) => code !== 'label_blank' && code !== 'too_many_fields');
  const isSure = isSilent && reading.isSure();
  return (line) => isSure && !deciding.lines.has(line);
}

/** Rows that brought no digest are never known. */
const unsure = Buffer.alloc(32);

async function* withoutDigests(batches: AsyncIterable<Row[]>): AsyncGenerator<DigestedRow[]> {
  for await (const batch of batches) yield batch.map((row) => ({ ...row, digest: null }));
}

/** Reads rows of either type, and gives what writes them. */
function readerOf(
  job: PlanJob,
  header: Header,
  columns: ColumnPlan,
  onUser: (row: DigestedRow, key: string) => void,
): (data: readonly DigestedRow[], found: Issue[]) => () => Promise<void> {
  if (header.type === 'teams')
    return (data, found) => {
      const teams = present(data.map((row) => readTeam(row, columns, found)));
      return () => stageTeams(job.stage, teams);
    };
  const dayStarts = new Map<string, number>();
  const dayOf = (date: string) => {
    const known = dayStarts.get(date) ?? startOfDay(job.org.timeZone, date);
    if (dayStarts.size < 5000) dayStarts.set(date, known);
    return known;
  };
  return (data, found) => {
    const users = present(
      data.map((row) => {
        const user = readUser(row, columns, dayOf, found);
        if (user !== null) onUser(row, user.key);
        return user;
      }),
    );
    return () => stageUsers(job.stage, users);
  };
}

function miscounted(row: Row, header: Header): Issue {
  return makeIssue('cell_count', { line: row.line }, { count: row.cells.length, expected: header.cells.length });
}

function present<T>(values: (T | null)[]): T[] {
  return values.filter((value): value is T => value !== null);
}

const decidingRows = 3;

/**
 * Some rows whose dates have one reading only, for each column: they are read each time, so that the order of the column
 * (rule U14) is decided by them also where all others are known and left out.
 */
class DecidingRows {
  readonly lines = new LineSet();
  #columns: { index: number; missing: number }[];

  constructor({ standard, fields }: ColumnPlan) {
    const date = standard.get('deactivationDate');
    const indexes = fields.filter(({ field }) => field.type === 'date').map(({ index }) => index);
    if (date !== undefined) indexes.push(date);
    this.#columns = indexes.map((index) => ({ index, missing: decidingRows }));
  }

  look({ line, cells }: Row): void {
    for (const column of this.#columns) {
      const readings = readDate(readCell(cells[column.index] ?? ''));
      if (readings === null || (readings.mdy === null) === (readings.dmy === null)) continue;
      this.lines.add(line);
      column.missing--;
      if (column.missing === 0) this.#columns = this.#columns.filter((other) => other !== column);
    }
  }
}
