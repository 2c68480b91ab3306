/** Renames and removes files and folders, with the effects on the queue. Each function runs in one transaction. */
import type { Queryable } from '../db/connection.js';
import { deleteEntry, type EntryRow, lockEntry, lockUnlessReplaced, updateEntry } from '../db/control/entries.js';
import { lockBelow, moveEntriesBelow } from '../db/control/folders.js';
import { overtakeHeld } from '../db/control/holds.js';
import { findMoved, forgetMoved, updateMoved } from '../db/control/movednames.js';
import { lockOrg, type Org } from '../db/control/orgs.js';
import { findPartial, forgetPartials } from '../db/control/partials.js';
import { listWaitingBelow } from '../db/control/storedfiles.js';
import { dryRunRoot } from '../db/control/treelayout.js';
import { lockUpload, withdrawUpload } from '../db/control/uploads.js';
import { tellAtOf } from '../storage/filename.js';
import { checkPath, isBelow, joinPath, splitPath } from '../storage/path.js';
import { requireFolder } from '../storage/space.js';
import { SpaceError } from '../storage/types.js';
import { audit, type Freed, replaceEntry } from './publish.js';
import { redirectUpload } from './redirect.js';
import type { Sender } from './types.js';

export interface Rename {
  from: string;
  to: string;
  overwrite: boolean;
  /** Its sender sees an upload of its own at `to`. */
  isTargetOpen?: boolean;
}

/** Removes a file, the partial of an upload that was cut off, or the name of a file that an import has just taken. */
export async function removeFile(tx: Queryable, org: Org, sender: Sender, path: string, at: number): Promise<Freed> {
  const entry = await lockEntry(tx, org.id, path);
  const partials = entry?.kind === 'dir' ? [] : await forgetPartials(tx, org.id, path);
  if (entry === null) {
    const moved = partials.length === 0 ? await findMoved(tx, org.id, path, at) : null;
    if (moved !== null) {
      await forgetMoved(tx, org.id, path);
      await audit(tx, org, sender, at, 'file.removed', path, { upload: moved.uploadId, imported: true });
      return { blob: null, partials };
    }
    if (partials.length === 0) throw new SpaceError('not_found', `${path} does not exist`);
    await audit(tx, org, sender, at, 'partial.removed', path, {});
    return { blob: null, partials };
  }
  if (entry.kind === 'dir') throw new SpaceError('is_a_folder', `${path} is a folder`);
  const upload = entry.uploadId === null ? null : await lockUpload(tx, entry.uploadId);
  if (upload !== null && (await withdrawUpload(tx, upload.id, at))) {
    await overtakeHeld(tx, upload.runId, at);
    await audit(tx, org, sender, at, 'upload.withdrawn', path, { upload: entry.uploadId });
  } else await audit(tx, org, sender, at, 'file.removed', path, { upload: entry.uploadId });
  await deleteEntry(tx, entry.id);
  return { blob: entry.blobId, partials };
}

/** Replaces a file at `to`. A partial can't be renamed: under another name it could be taken for a complete file. */
export async function renamePath(
  tx: Queryable,
  org: Org,
  sender: Sender,
  { from, to, overwrite, isTargetOpen = false }: Rename,
  at: number,
): Promise<Freed> {
  // First, as a CLOSE does: two transactions that lock the same rows in another order could wait for each other.
  const { options } = (await lockOrg(tx, org.id, false)) ?? org;
  const entry = await lockEntry(tx, org.id, from);
  if (entry === null) return renameAbsent(tx, org, sender, { from, to, overwrite }, at);
  if (from === to) return { blob: null, partials: [] };
  await requireFolder(tx, org.id, splitPath(to).dir);
  const target = await lockUnlessReplaced(tx, org.id, to);
  if (entry.kind === 'dir') {
    if (target !== null || isTargetOpen) throw new SpaceError('exists', `${to} exists`);
    await moveFolder(tx, { ...org, options }, sender, entry, to, at);
    await forgetMoved(tx, org.id, to);
    await audit(tx, org, sender, at, 'folder.renamed', to, { from });
    return { blob: null, partials: [] };
  }
  if (target?.kind === 'dir') throw new SpaceError('is_a_folder', `${to} is a folder`);
  if (target !== null && !overwrite) throw new SpaceError('exists', `${to} exists`);
  if (target !== null) await replaceEntry(tx, org, sender, target, at);
  await updateEntry(tx, entry.id, splitPath(to));
  await forgetMoved(tx, org.id, to);
  const isAudited =
    entry.uploadId !== null && (await followName(tx, { ...org, options }, sender, entry.uploadId, { from, to }, at));
  if (!isAudited) await audit(tx, org, sender, at, 'file.renamed', to, { upload: entry.uploadId, from });
  return { blob: target?.blobId ?? null, partials: await forgetPartials(tx, org.id, to) };
}

/** Checks the new name of an upload in progress; the file that has it, or null. @throws SpaceError as renamePath */
export async function requireFree(tx: Queryable, org: Org, path: string, overwrite: boolean): Promise<EntryRow | null> {
  await requireFolder(tx, org.id, splitPath(path).dir);
  const target = await lockEntry(tx, org.id, path);
  if (target?.kind === 'dir') throw new SpaceError('is_a_folder', `${path} is a folder`);
  if (target !== null && !overwrite) throw new SpaceError('exists', `${path} exists`);
  return target;
}

/** false: only the name has changed, and the caller must audit that. */
async function followName(
  tx: Queryable,
  org: Org,
  sender: Sender,
  uploadId: number,
  { from, to: path }: Pick<Rename, 'from' | 'to'>,
  at: number,
): Promise<boolean> {
  const action = await redirectUpload(tx, uploadId, path, org.options, at);
  if (action !== null) await audit(tx, org, sender, at, action, path, { upload: uploadId, from });
  return action !== null;
}

/** A folder's name can say that the files in it are not finished: each is queued, or removed from the queue, as its new path asks. */
async function moveFolder(
  tx: Queryable,
  org: Org,
  sender: Sender,
  folder: EntryRow,
  to: string,
  at: number,
): Promise<void> {
  const from = joinPath(folder.dir, folder.name);
  if (isBelow(to, from)) throw new SpaceError('unsupported', `${from} can't move into itself`);
  if (isBelow(to, dryRunRoot) !== isBelow(from, dryRunRoot))
    throw new SpaceError(
      'unsupported',
      `${from} can't move into ${dryRunRoot} or out of it: its files can, one by one`,
    );
  for (const path of await lockBelow(tx, org.id, from)) checkPath(joinPath(to + path.slice(from.length), 'x'));
  await updateEntry(tx, folder.id, splitPath(to));
  const { options } = org;
  const waiting = await listWaitingBelow(tx, org.id, from);
  await moveEntriesBelow(tx, org.id, from, to);
  for (const { uploadId, path: before } of waiting) {
    const path = to + before.slice(from.length);
    if (tellAtOf(before, options, at) === tellAtOf(path, options, at)) continue;
    await followName(tx, org, sender, uploadId, { from: before, to: path }, at);
  }
}

/** A file that an import has just taken has its new name for those who look again; its bytes are in the archive. */
async function renameAbsent(
  tx: Queryable,
  org: Org,
  sender: Sender,
  { from, to, overwrite }: Rename,
  at: number,
): Promise<Freed> {
  if ((await findPartial(tx, org.id, from)) !== null)
    throw new SpaceError('incomplete', `${from} was cut off and is not complete`);
  const moved = await findMoved(tx, org.id, from, at);
  if (moved === null) throw new SpaceError('not_found', `${from} does not exist`);
  if (from === to) return { blob: null, partials: [] };
  const target = await requireFree(tx, org, to, overwrite);
  if (target !== null) await replaceEntry(tx, org, sender, target, at);
  await forgetMoved(tx, org.id, to);
  await updateMoved(tx, moved.id, splitPath(to));
  await audit(tx, org, sender, at, 'file.renamed', to, { upload: moved.uploadId, from, imported: true });
  return { blob: target?.blobId ?? null, partials: await forgetPartials(tx, org.id, to) };
}
