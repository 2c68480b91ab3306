/**
 * Notes in the folder of sealed files that it is the one of the database. Nodes on PostgreSQL share the folder: one with a folder of its
 * own would acknowledge files that the others can't read, and not find theirs.
 */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Db, Queryable } from '../db/connection.js';
import { adoptBlobFolder, forgetBlobFolder, readBlobFolder, writeBlobFolder } from '../db/control/blobplace.js';
import { listLiveBlobs } from '../db/control/blobs.js';
import { readControlMarks } from '../db/control/pair.js';
import { listUnsynced } from '../db/control/unsyncedblobs.js';
import { dialectOf } from '../db/dialect.js';
import { createPrivateFile, readPrivateFile, replacePrivateFile } from '../keys/file.js';
import { blobPath } from './blobs.js';
import { type BlobPaths, StoreError } from './blobstore.js';
import { systemDisk } from './disk.js';

/** No id of a blob is like it. */
export const folderNoteName = 'installation';
/** Of the files that are looked for in a folder without a note. */
const mostLookedFor = 1000;

/** The two ids of the note: of the databases, and of the folder, which is a new one after each move and each restore. */
interface Note {
  pairId: string;
  folder: string;
}

/**
 * Called by each start of a process that writes files; the first one makes the note.
 * @throws StoreError `foreign` when the database has its files in another folder; KeyError when the note can't be read or written
 */
export async function claimBlobFolder(
  paths: BlobPaths,
  control: Pick<Db, 'dialect' | 'read' | 'transact'>,
  at: number,
): Promise<void> {
  if (!isShared(paths, control)) return;
  const { pairId } = await readControlMarks(control.read);
  // As in claimStore: the first node that can open the directory gives the databases their id.
  if (pairId === null) return;
  if ((await readBlobFolder(control.read)) === null) await adopt(paths, control, pairId, at);
  const fault = await findFolderFault(paths, control);
  if (fault !== null) throw new StoreError('foreign', fault);
}

/** Why it is not the folder of the database, in sentences; null: it is, or none is noted yet. Writes nothing. */
export async function findFolderFault(paths: BlobPaths, control: Pick<Db, 'dialect' | 'read'>): Promise<string | null> {
  if (!isShared(paths, control)) return null;
  const { pairId } = await readControlMarks(control.read);
  const folder = await readBlobFolder(control.read);
  if (pairId === null || folder === null) return null;
  const note = await readNote(paths);
  if (note?.pairId === pairId && note.folder === folder) return null;
  const path = notePath(paths);
  const why = note === null ? `there is no ${path}` : `${path} is of another one`;
  return `${paths.blobs} is not the folder in which this database has its sealed files: ${why}. All nodes need the same folder, as on a network share: check that it is mounted, and the setting "data"; or use an object store. Only if it is the right folder, restored by hand or empty after a loss, write this line into ${path}: ${pairId} ${folder}`;
}

/**
 * A move or a restore has put the files into this folder: from the commit on it is the only one. With a store there is none.
 * Joins the caller's transaction. @throws KeyError
 */
export async function replaceBlobFolder(paths: BlobPaths, tx: Queryable, at: number): Promise<void> {
  const { pairId } = await readControlMarks(tx);
  if (pairId === null || !isShared(paths, { dialect: dialectOf(tx) })) return forgetBlobFolder(tx);
  const folder = randomUUID();
  await mkdir(paths.blobs, { recursive: true, mode: 0o700 });
  await replacePrivateFile(notePath(paths), line({ pairId, folder }));
  await writeBlobFolder(tx, folder, at);
}

/** On SQLite one machine writes files. */
function isShared({ store }: BlobPaths, { dialect }: Pick<Db, 'dialect'>): boolean {
  return store === undefined && dialect === 'postgres';
}

/**
 * The folder of the first node, if it has files of the database, or there are none. Of two nodes that do this at once, the second waits for
 * the first one's commit; one that was killed before it left a note in the folder.
 */
async function adopt(
  paths: BlobPaths,
  { read, transact }: Pick<Db, 'read' | 'transact'>,
  pairId: string,
  at: number,
): Promise<void> {
  const found = await readNote(paths);
  if (found !== null && found.pairId !== pairId)
    throw new StoreError(
      'foreign',
      `${paths.blobs} has the sealed files of another installation (${found.pairId}, and this database is ${pairId}): check the settings "database" and "data"`,
    );
  if (found === null && !(await hasOwnFiles(paths, read)))
    throw new StoreError(
      'foreign',
      `${paths.blobs} has none of the sealed files of this database. All nodes need the same folder, as on a network share: check that it is mounted, and the setting "data"; or use an object store. Only if the files are lost, write this line into ${notePath(paths)}: ${pairId} ${randomUUID()}`,
    );
  await transact(async (tx) => {
    const note = (await readNote(paths)) ?? { pairId, folder: randomUUID() };
    if (await adoptBlobFolder(tx, note.folder, at)) await createPrivateFile(notePath(paths), line(note));
  });
}

async function hasOwnFiles(paths: BlobPaths, read: Db['read']): Promise<boolean> {
  const some = await listLiveBlobs(read, null, mostLookedFor);
  for (const { id } of some) if ((await systemDisk.stat(blobPath(paths, id))) !== null) return true;
  // Small files that a power cut has left in the database alone come with a move to PostgreSQL.
  return some.length === 0 || (await listUnsynced(read, { limit: 1 })).length > 0;
}

async function readNote(paths: BlobPaths): Promise<Note | null> {
  const content = await readPrivateFile(notePath(paths));
  if (content === null) return null;
  const [pairId = '', folder = ''] = content.trim().split(/\s+/);
  return { pairId, folder };
}

function notePath({ blobs }: BlobPaths): string {
  return join(blobs, folderNoteName);
}

function line({ pairId, folder }: Note): string {
  return `${pairId} ${folder}\n`;
}
