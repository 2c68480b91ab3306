/**
 * Compares the marks of the two databases: one that was restored from another backup than the other is recognized, and
 * nothing is imported until both fit. Numbers of runs and uploads never repeat after that.
 */
import { randomUUID } from 'node:crypto';
import type { Db } from './connection.js';
import {
  acceptDirectoryWrites,
  adoptControl,
  type ControlMarks,
  findLastSettledAt,
  forgetRaise,
  raiseNumbers,
  readControlMarks,
} from './control/pair.js';
import { adoptDirectory, type DirectoryMarks, findLastAppliedAt, readDirectoryMarks } from './directory/pair.js';
import { DatabaseError } from './error.js';

export interface Pair {
  control: Db;
  directory: Db;
}

export type Misfit =
  /** They belong to different installations. */
  | 'foreign'
  | 'control_older'
  | 'directory_older'
  /** Each lacks something that the other one has. */
  | 'both_older';

export interface Mismatch {
  misfit: Misfit;
  /** Which database is newer, and the operator's next step, in sentences. */
  message: string;
}

/** Gives both databases their common id where they have none, and raises the numbers of a control database that is older. */
export async function joinPair(pair: Pair): Promise<void> {
  const { control, directory } = pair;
  let marks = await readMarks(pair);
  if (marks.control.pairId === null || marks.directory.pairId === null) {
    // The directory first: of two processes that do this, both then take the id that it has.
    await adoptDirectory(directory.write, marks.control.pairId ?? randomUUID());
    await adoptControl(control.write, (await readDirectoryMarks(directory.read)).pairId!);
    marks = await readMarks(pair);
  }
  const { control: own, directory: other } = marks;
  if (own.pairId !== other.pairId) return;
  if (other.run > own.issued.run || other.upload > own.issued.upload) await raiseNumbers(control.write, other);
  else if (own.isRaised && !isControlOlder(marks)) await forgetRaise(control.write);
}

/** null: they fit. */
export async function findMismatch(pair: Pair): Promise<Mismatch | null> {
  const misfit = compare(await readMarks(pair));
  return misfit === null ? null : { misfit, message: await describe(pair, misfit) };
}

/** @throws DatabaseError `mismatch` */
export async function requireFit(pair: Pair): Promise<void> {
  const mismatch = await findMismatch(pair);
  if (mismatch !== null) throw new DatabaseError('mismatch', mismatch.message);
}

/** As requireFit, of a process that asks again and again: what fits now fits for a second. */
export function createFitCheck(pair: Pair): () => Promise<void> {
  let fitsUntil = 0;
  return async () => {
    if (performance.now() < fitsUntil) return;
    await requireFit(pair);
    fitsUntil = performance.now() + fitMs;
  };
}

const fitMs = 1_000;

/** Takes both databases as they are from now on. @throws DatabaseError `mismatch` for those of different installations */
export async function acceptPair(pair: Pair): Promise<void> {
  const mismatch = await findMismatch(pair);
  if (mismatch?.misfit === 'foreign') throw new DatabaseError('mismatch', mismatch.message);
  await forgetRaise(pair.control.write);
  await acceptDirectoryWrites(pair.control.write, (await readDirectoryMarks(pair.directory.read)).writes);
}

interface Marks {
  control: ControlMarks;
  directory: DirectoryMarks;
}

/**
 * Beside a running importer the directory is read before the control database, which knows every run that the directory has;
 * and once more after it where the control database knows of more writes.
 */
async function readMarks({ control, directory }: Pair): Promise<Marks> {
  const before = await readDirectoryMarks(directory.read);
  const own = await readControlMarks(control.read);
  const isBehind = own.directoryWrites > before.writes;
  const { writes } = isBehind ? await readDirectoryMarks(directory.read) : before;
  return { control: own, directory: { ...before, writes } };
}

function compare(marks: Marks): Misfit | null {
  const { control, directory } = marks;
  if (control.pairId !== null && directory.pairId !== null && control.pairId !== directory.pairId) return 'foreign';
  const lacksDirectory = control.directoryWrites > directory.writes;
  if (isControlOlder(marks)) return lacksDirectory ? 'both_older' : 'control_older';
  return lacksDirectory ? 'directory_older' : null;
}

function isControlOlder({ control, directory }: Marks): boolean {
  return directory.run > control.run || directory.upload > control.upload;
}

const waiting = 'Until then nothing is imported; uploads are accepted and wait.';
const accepting = 'If there is no such backup, "dropslot databases accept" continues with both as they are.';

async function describe(pair: Pair, misfit: Misfit): Promise<string> {
  const imported = `the directory database had its last import at ${at(await findLastAppliedAt(pair.directory.read))}`;
  const settled = `the control database had its last import at ${at(await findLastSettledAt(pair.control.read))}`;
  const sentences: Record<Misfit, string> = {
    foreign: `the control database and the directory database belong to different installations: restore both from one backup. ${waiting}`,
    control_older: `the control database is older than the directory database, from another backup: ${imported}, ${settled}. Stop the server and restore the control database of the newer backup, or both from one backup. ${waiting} ${accepting}`,
    directory_older: `the directory database is older than the control database, from another backup: ${settled}, ${imported}. Stop the server and restore the directory database of the newer backup, or both from one backup. ${waiting} ${accepting}`,
    both_older: `the control database and the directory database are from different backups, and each lacks imports that the other one has: ${settled}, ${imported}. Stop the server and restore both from one backup. ${waiting} ${accepting}`,
  };
  return sentences[misfit];
}

function at(ms: number | null): string {
  return ms === null ? 'no time (it has none)' : `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
