/** Reads rows into typed values in the time zone of the organization, and gives the statement that stages them (rules F4, U12). */
import { makeIssue } from '../codes.js';
import { takeClears } from '../read/cleartoken.js';
import { countCells, fitsHeader } from '../read/columnsurvey.js';
import { dropErasedOwner, dropErasedUser } from '../read/erased.js';
import { type Header, mergeTwins } from '../read/header.js';
import type { DigestedRow } from '../read/rowstream.js';
import { readTeam } from '../read/teamrow.js';
import { readUser, type UserRow } from '../read/userrow.js';
import { startOfDay } from '../schedule/calendar.js';
import type { Issue } from '../types.js';
import type { FileInput, PlanInput } from './input.js';
import { type Staged, stageTeams, stageUsers } from './stagedrows.js';

/** Reads rows and adds their issues to `found`. The returned function writes the rows into the stage. */
export type BatchReader = (rows: readonly DigestedRow[], found: Issue[]) => () => Promise<void>;

/** Reads rows of a users file and adds their issues to `found`. */
export type UsersReader = (rows: readonly DigestedRow[], found: Issue[]) => Staged<UserRow>[];

/** @param onUser is called for each row that a user is read from. */
export function createUsersReader(
  { org, today, erased }: PlanInput,
  { header, columns }: Pick<FileInput, 'header' | 'columns'>,
  onUser: (row: DigestedRow, user: UserRow) => void,
): UsersReader {
  const token = org.options.clearToken;
  const calendar = { today, startOfDay: createDayCache(org.timeZone) };
  return (rows, found) =>
    present(
      dropMiscounted(rows, header, found).map((written) => {
        const { row, clears, refused } = takeClears(written, columns, token);
        const read = readUser(row, columns, calendar, found);
        if (read !== null) found.push(...refused);
        const user = erased === undefined || read === null ? read : dropErasedUser(read, erased, columns, found);
        if (user === null) return null;
        onUser(written, user);
        return Object.assign(user, { clears });
      }),
    );
}

/** @param onUser as createUsersReader takes it. */
export function createReader(
  input: PlanInput,
  { header, columns }: FileInput,
  onUser: (row: DigestedRow, user: UserRow) => void,
): BatchReader {
  const { stage, org, erased } = input;
  const token = org.options.clearToken;
  if (header.type === 'teams')
    return (rows, found) => {
      const teams = present(
        dropMiscounted(rows, header, found).map((written) => {
          const { row, clears, refused } = takeClears(written, columns, token);
          const read = readTeam(row, columns, found);
          if (read === null) return null;
          found.push(...refused);
          const team = erased === undefined ? read : dropErasedOwner(read, erased, columns, found);
          return { ...team, clears };
        }),
      );
      return () => stageTeams(stage, teams);
    };
  const readUsers = createUsersReader(input, { header, columns }, onUser);
  return (rows, found) => {
    const users = readUsers(rows, found);
    return () => stageUsers(stage, users);
  };
}

/** Files repeat few dates; the size is bounded against those that do not. */
const cachedDays = 5000;

function createDayCache(timeZone: string): (date: string) => number {
  const starts = new Map<string, number>();
  return (date) => {
    const start = starts.get(date) ?? startOfDay(timeZone, date);
    if (starts.size < cachedDays) starts.set(date, start);
    return start;
  };
}

/** The rows that have sound quotes, and as many cells as the header (rule F4); twins of columns are merged (rule F6). */
function dropMiscounted(rows: readonly DigestedRow[], header: Header, found: Issue[]): DigestedRow[] {
  const fitting = rows.filter((row) => {
    if (fitsHeader(row, header)) return true;
    if (row.faulty !== undefined) {
      found.push(makeIssue('quote_inside', { line: row.line }));
      return false;
    }
    if (row.problem !== undefined) {
      found.push(makeIssue(row.problem.code, { line: row.line }, row.problem.details));
      return false;
    }
    const details = { count: countCells(row, header), expected: header.own };
    found.push(makeIssue('cell_count', { line: row.line }, details));
    return false;
  });
  return header.twins.length === 0 ? fitting : fitting.map((row) => ({ ...row, ...mergeTwins(row, header) }));
}

function present<T>(values: (T | null)[]): T[] {
  return values.filter((value): value is T => value !== null);
}
