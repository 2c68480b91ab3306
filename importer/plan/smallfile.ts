/** Reads a small users file into memory, to be planned together with others: or says that it has to be planned by itself. */
import { RefusalError } from '../codes.js';
import { RaggedError } from '../read/records.js';
import type { Source } from '../read/source.js';
import type { UserRow } from '../read/userrow.js';
import type { Issue } from '../types.js';
import type { FileInput, PlanInput } from './input.js';
import { IssueLog } from './issuelog.js';
import { NotedRows } from './notedrows.js';
import { beginFile, openSound, type PlannedFile } from './planfile.js';
import type { Staged } from './stagedrows.js';
import { createUsersReader } from './typedrows.js';

/** A larger file is planned by itself: its rows are kept in memory here. */
export const mostFileBytes = 64 * 1024;

/** A file that has been read, with its issues so far. */
export interface SmallFile {
  /** Position of the file in the run. */
  file: number;
  source: Source;
  /** Without packing and encryption. */
  bytes: number;
  planned: PlannedFile;
  issues: IssueLog;
  input: FileInput;
  users: readonly Staged<UserRow>[];
  /** Call once a file before this one was planned after this one was read: of a user of both, the row of this file is known. */
  noteAgain(): void;
}

/** null: the file has to be planned by itself. Its rows are known as they would be after it was planned without another issue. */
export async function readSmallFile(input: PlanInput, file: number, source: Source): Promise<SmallFile | null> {
  const issues = new IssueLog(input.stage, file, input.settings);
  const planned = beginFile(input, source);
  try {
    const { open } = planned;
    const opened = await openSound(input, file, source, true, planned, issues);
    // It has no faulty rows, which would be read again: a run of many files keeps no reading of each.
    planned.open = open;
    const bytes = source.plainBytes?.() ?? source.bytes;
    if (opened === null || !isPlain(opened) || bytes > mostFileBytes) return null;
    const { users, mayKeep, areDistinct, repeat } = await readUsers(input, opened, issues);
    const isSound = issues.counts.fault === 0 && areDistinct && !mayRepeatWarnings(opened, issues);
    const settle = () => input.known.settle((line) => isSound && mayKeep(line) && !issues.lines.has(line));
    settle();
    const noteAgain = () => {
      repeat();
      settle();
    };
    return isSound ? { file, source, bytes, planned, issues, input: opened, users, noteAgain } : null;
  } catch (error) {
    if (!(error instanceof RefusalError || error instanceof RaggedError)) throw error;
    input.known.settle(() => false);
    return null;
  }
}

/** Whether none of its columns changes how files after it are read, or needs steps that only one file at a time can take. */
function isPlain({ header, columns }: FileInput): boolean {
  return header.type === 'users' && columns.status === null && columns.newFields.length === 0;
}

async function readUsers(input: PlanInput, file: FileInput, issues: IssueLog) {
  const noted = new NotedRows(input, file, true);
  const read = createUsersReader(input, file, (row, user) => noted.note(row, user));
  const users: Staged<UserRow>[] = [];
  let isFirst = true;
  for await (const batch of file.reading.openDigested()) {
    if (isFirst) noted.begin(batch[0]!);
    const found: Issue[] = [];
    users.push(...read(isFirst ? batch.slice(1) : batch, found));
    issues.add(found);
    isFirst = false;
  }
  return { users, mayKeep: noted.end(), areDistinct: noted.few.areDistinct, repeat: () => noted.repeat() };
}

/** As dropRepeatedWarnings decides it. */
function mayRepeatWarnings({ columns }: FileInput, issues: IssueLog): boolean {
  return issues.counts.warning > 0 && columns.fields.some(({ field }) => field.type !== 'text');
}
