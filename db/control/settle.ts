/** Settles a run in one transaction: its reports appear, its files move to the archive, its uploads and itself end. */
import type { Db, Queryable } from '../connection.js';
import { recordAudit } from './audit.js';
import { type BlobRow, insertBlob } from './blobs.js';
import { removeCheckReports } from './checks.js';
import { ensureFolders, findEntry, findEntryOfUpload, freeName, insertEntry, updateEntry } from './entries.js';
import { retireHeldReports } from './heldreports.js';
import { rememberMoved, trimMoved } from './movednames.js';
import { noteDirectoryWrites } from './pair.js';
import { noteCompleted } from './runevents.js';
import { finishRun, type Run, replaceSummary } from './runs.js';
import { findUpload, settleUpload, type UploadRow, unclaimUploads } from './uploads.js';

export interface Settlement {
  /** `alsoAs`: a second name. */
  reports: readonly { path: string; alsoAs?: string; blob: Omit<BlobRow, 'org' | 'createdAt'> }[];
  uploads: readonly { id: number; state: 'imported' | 'refused'; archivedAs: string }[];
  /** Kept with the run, as JSON. */
  summary: unknown;
}

/**
 * Returns the blobs that nothing refers to any more; null: the run had been settled, or belongs to another importer now, and nothing
 * was done.
 * @param directoryWrites how often the directory has been written to, the run included.
 * @param reads by upload: the facts that reading it gave.
 */
export async function settleRun(
  control: Db,
  run: Run,
  settlement: Settlement,
  now: number,
  directoryWrites = 0,
  reads?: ReadonlyMap<number, Pick<UploadRow, 'type' | 'rows'>>,
): Promise<string[] | null> {
  return control.transact(async (tx) => {
    if (!(await finishRun(tx, run, settlement.summary, now))) return null;
    const folders: KnownFolders = new Set();
    const moved = await placeReports(tx, run.org, settlement.reports, now, folders);
    for (const { id, state, archivedAs: path } of settlement.uploads) {
      const archivedAs = await moveToArchive(tx, run.org, id, path, now, folders);
      await settleUpload(tx, id, { state, archivedAs, at: now, read: reads?.get(id) });
      moved.set(path, archivedAs);
    }
    await trimMoved(tx, run.org, now);
    const ids = settlement.uploads.map(({ id }) => id);
    const freed = await removeCheckReports(tx, run.org, ids);
    await correctSummary(tx, run.id, settlement.summary, moved);
    await retireHeldReports(tx, run, 'was-held');
    // An importer that lost its lease may have claimed more files than another one applied.
    await unclaimUploads(tx, run.id);
    const detail = { run: run.id, uploads: settlement.uploads.map(({ id, state }) => ({ id, state })) };
    await recordAudit(tx, {
      at: now,
      org: run.org,
      actor: 'system',
      action: 'run.done',
      subject: `run ${run.id}`,
      detail,
    });
    await noteDirectoryWrites(tx, directoryWrites);
    await noteCompleted(tx, run, settlement.summary, now);
    return freed;
  });
}

/** Folders of the organization that the transaction holds already: it looks for each once. */
type KnownFolders = Set<string>;

/** Gives reports their names; where each was planned to be, and where it is. */
export async function placeReports(
  tx: Queryable,
  org: string,
  reports: Settlement['reports'],
  now: number,
  folders: KnownFolders = new Set(),
): Promise<Map<string, string>> {
  const moved = new Map<string, string>();
  for (const { path, alsoAs, blob } of reports) {
    await insertBlob(tx, { ...blob, org, createdAt: now });
    const file = { blobId: blob.id, uploadId: null, size: blob.size, mtimeMs: now };
    moved.set(path, await placeFile(tx, org, path, file, now, folders));
    if (alsoAs !== undefined) await placeFile(tx, org, alsoAs, file, now, folders);
  }
  return moved;
}

/** Gives a file another name beside the one that it has; one that is gone is left out. */
export async function placeAgain(tx: Queryable, org: string, path: string, alsoAs: string, now: number): Promise<void> {
  const entry = await findEntry(tx, org, path);
  if (entry === null) return;
  const { uploadId, size, mtimeMs } = entry;
  await placeFile(tx, org, alsoAs, { blobId: entry.blobId!, uploadId, size, mtimeMs }, now);
}

/**
 * The names were free when the run was planned. Where one was given away since (to a superseded version of the same file,
 * or by a run that came between), the file has another one, and the summary says so.
 * `isNew`: the run does not have the summary yet.
 */
export async function correctSummary(
  tx: Queryable,
  run: number,
  summary: unknown,
  moved: ReadonlyMap<string, string>,
  isNew = false,
): Promise<void> {
  if (!isNew && [...moved].every(([planned, actual]) => planned === actual)) return;
  await replaceSummary(
    tx,
    run,
    JSON.parse(JSON.stringify(summary), (_, value) => moved.get(value) ?? value),
  );
}

/** The name that a client gave moves; where the client has removed or replaced it meanwhile, the archive gets its own. */
export async function archiveUpload(
  tx: Queryable,
  org: string,
  uploadId: number,
  path: string,
  now: number,
): Promise<string> {
  const archivedAs = await moveToArchive(tx, org, uploadId, path, now, new Set());
  await trimMoved(tx, org, now);
  return archivedAs;
}

async function moveToArchive(
  tx: Queryable,
  org: string,
  uploadId: number,
  path: string,
  now: number,
  folders: KnownFolders,
): Promise<string> {
  const entry = await findEntryOfUpload(tx, org, uploadId);
  const upload = (await findUpload(tx, uploadId))!;
  if (entry !== null) {
    await rememberMoved(tx, entry, upload, now);
    const { dir, name } = await makePlace(tx, org, path, now, folders);
    await updateEntry(tx, entry.id, { dir, name });
    return `${dir}/${name}`;
  }
  return placeFile(
    tx,
    org,
    path,
    { blobId: upload.blobId, uploadId, size: upload.size, mtimeMs: upload.closedAt },
    now,
    folders,
  );
}

async function placeFile(
  tx: Queryable,
  org: string,
  path: string,
  file: { blobId: string; uploadId: number | null; size: number; mtimeMs: number },
  now: number,
  folders: KnownFolders = new Set(),
): Promise<string> {
  const { dir, name } = await makePlace(tx, org, path, now, folders);
  await insertEntry(tx, { org, dir, name, kind: 'file', mode: 0o644, atimeMs: file.mtimeMs, createdAt: now, ...file });
  return `${dir}/${name}`;
}

/** The folder is there then, and the name is free in it. */
async function makePlace(
  tx: Queryable,
  org: string,
  path: string,
  now: number,
  folders: KnownFolders,
): Promise<{ dir: string; name: string }> {
  const slash = path.lastIndexOf('/');
  const dir = path.slice(0, slash);
  if (!folders.has(dir)) await ensureFolders(tx, org, dir, now);
  folders.add(dir);
  return { dir, name: await freeName(tx, org, dir, path.slice(slash + 1)) };
}
