/** Settles a run in one transaction: its reports appear, its files move to the archive, its uploads and itself end. */
import type { Db, Queryable } from '../connection.js';
import { recordAudit } from './audit.js';
import { type BlobRow, insertBlob } from './blobs.js';
import { ensureFolders, findEntryOfUpload, insertEntry, updateEntry } from './entries.js';
import { finishRun, type Run } from './runs.js';
import { findUpload, settleUpload, unclaimUploads } from './uploads.js';

export interface Settlement {
  reports: readonly { path: string; blob: Omit<BlobRow, 'org' | 'createdAt'> }[];
  uploads: readonly { id: number; state: 'imported' | 'refused'; archivedAs: string }[];
  /** Kept with the run, as JSON. */
  summary: unknown;
}

/** false: the run had been settled, or belongs to another importer now; nothing was done. */
export async function settleRun(control: Db, run: Run, settlement: Settlement, now: number): Promise<boolean> {
  return control.write.transaction(async (tx) => {
    if (!(await finishRun(tx, run, settlement.summary, now))) return false;
    for (const { path, blob } of settlement.reports) {
      await insertBlob(tx, { ...blob, org: run.org, createdAt: now });
      await placeFile(tx, run.org, path, { blobId: blob.id, uploadId: null, size: blob.size, mtimeMs: now }, now);
    }
    for (const { id, state, archivedAs } of settlement.uploads) {
      await settleUpload(tx, id, { state, archivedAs, at: now });
      await archiveUpload(tx, run.org, id, archivedAs, now);
    }
    // An importer that lost its lease may have claimed more than what another one applied.
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
    return true;
  });
}

/** The name that a client gave moves; where the client has removed or replaced it meanwhile, the archive gets its own. */
async function archiveUpload(tx: Queryable, org: string, uploadId: number, path: string, now: number): Promise<void> {
  const entry = await findEntryOfUpload(tx, org, uploadId);
  if (entry !== null) {
    const { dir, name } = await makeFolder(tx, org, path, now);
    await updateEntry(tx, entry.id, { dir, name });
    return;
  }
  const upload = (await findUpload(tx, uploadId))!;
  await placeFile(tx, org, path, { blobId: upload.blobId, uploadId, size: upload.size, mtimeMs: upload.closedAt }, now);
}

async function placeFile(
  tx: Queryable,
  org: string,
  path: string,
  file: { blobId: string; uploadId: number | null; size: number; mtimeMs: number },
  now: number,
): Promise<void> {
  const { dir, name } = await makeFolder(tx, org, path, now);
  await insertEntry(tx, { org, dir, name, kind: 'file', mode: 0o644, atimeMs: file.mtimeMs, createdAt: now, ...file });
}

async function makeFolder(
  tx: Queryable,
  org: string,
  path: string,
  now: number,
): Promise<{ dir: string; name: string }> {
  const slash = path.lastIndexOf('/');
  const dir = path.slice(0, slash);
  await ensureFolders(tx, org, dir, now);
  return { dir, name: path.slice(slash + 1) };
}
