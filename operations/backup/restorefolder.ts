/** The data folder that a backup is restored into: it has no data before, and no server starts on it before the end. */
import { existsSync } from 'node:fs';
import { appendFile, lchown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathsOf } from '../../config/paths.js';
import { syncFolder } from '../../keys/file.js';
import { OperationError } from '../error.js';
import { syncFile } from './target.js';

export interface Claim {
  data: string;
  /** Whom the restored files belong to; null: whoever runs this. */
  owner: { uid: number; gid: number } | null;
  /** Of a restore that was interrupted; false: the folder had no data. */
  isRepeated: boolean;
  /** The database on PostgreSQL that the interrupted restore had found empty; null: it had not come so far. */
  begunDatabase: string | null;
  /** Leaves the folder as it was found, but one of an interrupted restore, which stays as it is. */
  undo(): Promise<void>;
}

/** An operator may put these there before; all else is data. */
const harmless: readonly string[] = ['dropslot.json', 'keys', 'keys.d', 'lost+found'];

/**
 * Makes the folder where it is missing, and marks it until `releaseFolder`. Takes a folder that an interrupted restore of the
 * same backup left.
 * @throws OperationError `refused` when it has data
 */
export async function claimFolder(data: string, from: string): Promise<Claim> {
  const { restoreMark: mark } = pathsOf({ data });
  const existed = existsSync(data);
  const names = existed ? await readdir(data) : [];
  const owner = process.getuid?.() === 0 ? await stat(existed ? data : from) : null;
  if (existsSync(mark)) {
    const [other, ...databases] = (await readFile(mark, 'utf8')).trim().split('\n');
    const begunDatabase = databases.at(-1) ?? null;
    if (other !== from)
      throw new OperationError(
        'refused',
        `${data} has an interrupted restore of ${other}: repeat that, or remove ${data}`,
      );
    return { data, owner, isRepeated: true, begunDatabase, undo: async () => {} };
  }
  const taken = names.filter((name) => !harmless.includes(name));
  for (const name of existsSync(join(data, 'keys')) ? await readdir(join(data, 'keys')) : [])
    if (name !== 'master.key') taken.push(join('keys', name));
  if (taken.length > 0) {
    const shown = taken.slice(0, 3).join(', ') + (taken.length > 3 ? ', …' : '');
    throw new OperationError(
      'refused',
      `${data} has data already (${shown}), which a restore never replaces: name an empty folder with --data`,
    );
  }
  await mkdir(data, { recursive: true, mode: 0o700 });
  await writeFile(mark, `${from}\n`, { mode: 0o600 });
  await syncFile(mark);
  await syncFolder(data);
  const undo = async () => {
    for (const name of await readdir(data))
      if (!names.includes(name)) await rm(join(data, name), { recursive: true, force: true });
    if (!existed) await rm(data, { recursive: true });
  };
  return { data, owner, isRepeated: false, begunDatabase: null, undo };
}

/** Notes the database that is empty and restored next, so that a repeated restore knows the data in it as its own. */
export async function noteDatabase(data: string, database: string): Promise<void> {
  const { restoreMark: mark } = pathsOf({ data });
  await appendFile(mark, `${database}\n`);
  await syncFile(mark);
}

/** The restore is complete: a server may start. */
export async function releaseFolder(data: string): Promise<void> {
  await rm(pathsOf({ data }).restoreMark);
  await syncFolder(data);
  await syncFolder(dirname(data)).catch(() => {}); // it may be another user's
}

/** As root: what was opened since, such as locks, must belong to the owner of the folder, too. */
export async function returnToOwner(data: string): Promise<void> {
  if (process.getuid?.() === 0) await giveToOwner(data, await stat(data));
}

/** As root: the server's user must be able to open the files. */
export async function giveToOwner(folder: string, owner: Claim['owner']): Promise<void> {
  if (owner === null || owner.uid === 0) return;
  await lchown(folder, owner.uid, owner.gid);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await giveToOwner(path, owner);
    else await lchown(path, owner.uid, owner.gid);
  }
}
