/** Accepts databases of different backups as they are, where no backup has both: neither imports a file twice nor loses one. */
import { findRecordTime, recordAudit } from '../db/control/audit.js';
import { findEntryOfUpload, updateEntry } from '../db/control/entries.js';
import { endUpload, findOrigins, listImported, listWaiting } from '../db/control/imported.js';
import type { Loss } from '../db/control/mark.js';
import { archiveUpload } from '../db/control/settle.js';
import { archiveFolder } from '../db/control/treelayout.js';
import { findUpload, insertUpload, type UploadRow } from '../db/control/uploads.js';
import { filterApplied, findApplications } from '../db/directory/applied.js';
import { acceptPair, findMismatch, type Mismatch } from '../db/pair.js';
import { dateIn } from '../importer/schedule/calendar.js';
import { joinPath, splitPath } from '../storage/path.js';
import { OperationError } from './error.js';
import { formatTime } from './format.js';
import type { Workplace } from './workplace.js';

export interface Acceptance {
  /** null: the databases fit; records of the control database were lost. */
  misfit: Mismatch['misfit'] | null;
  /** Files in the queue that the directory had imported already: they are in the archive now. */
  imported: number;
  /** Files that got the number of a lost one: they are in the queue under a new number. */
  renumbered: number;
  /** Paths of files, with their organization, that the control database has as imported, and the directory does not have. */
  missing: string[];
  /** Acknowledged uploads that the control database has lost. */
  lostUploads: number;
}

const pageSize = 500;
/** More are counted, not listed. */
const listedFiles = 1000;

/** @throws OperationError `refused` when there is nothing to accept; DatabaseError `mismatch` for those of different installations */
export async function acceptDatabases(workplace: Workplace): Promise<Acceptance> {
  const { control, actor, now } = workplace;
  const mismatch = await findMismatch(workplace);
  const lost = control.mark?.lost ?? null;
  if (mismatch === null && lost === null)
    throw new OperationError('refused', 'both databases fit, and lack no record: there is nothing to accept');
  const acceptance: Acceptance = {
    misfit: mismatch?.misfit ?? null,
    imported: 0,
    renumbered: 0,
    missing: [],
    lostUploads: lost?.uploads ?? 0,
  };
  if (mismatch !== null && mismatch.misfit !== 'foreign') {
    await reconcileWaiting(workplace, acceptance);
    await listMissing(workplace, acceptance);
  }
  await acceptPair(workplace);
  control.mark?.acceptLoss();
  const { missing, ...counts } = acceptance;
  const event = { at: now(), org: null, actor, action: 'databases.accepted', subject: 'databases' };
  await recordAudit(control.write, { ...event, detail: { ...counts, missing: missing.length } });
  return acceptance;
}

/** Files that wait for an import, and whose numbers the directory has applied. Those of a run that it has applied are settled with it. */
async function reconcileWaiting(workplace: Workplace, acceptance: Acceptance): Promise<void> {
  const { control, directory } = workplace;
  for (let after = 0; ; ) {
    const ids = await listWaiting(control.read, after, pageSize);
    for (const { uploadId, runId, at } of await findApplications(directory.read, ids)) {
      const upload = (await findUpload(control.read, uploadId))!;
      if (upload.state !== 'queued' && upload.runId === runId) continue;
      // A file can't be imported before it comes: this one got the number of another, which was lost.
      if (upload.closedAt > at) acceptance.renumbered += await renumber(workplace, upload);
      else acceptance.imported += await archive(workplace, upload, at);
    }
    if (ids.length < pageSize) return;
    after = ids.at(-1)!;
  }
}

async function archive({ control, actor, now, org: findOrg }: Workplace, upload: UploadRow, at: number): Promise<1> {
  const { timeZone } = await findOrg(upload.org);
  const path = joinPath(archiveFolder(dateIn(timeZone, at)), splitPath(upload.path).name);
  await control.transact(async (tx) => {
    const archivedAs = await archiveUpload(tx, upload.org, upload.id, path, now());
    await endUpload(tx, upload.id, { state: 'imported', archivedAs, at: now() });
    const detail = { upload: upload.id, outcome: 'imported', archivedAs };
    const event = { at: now(), org: upload.org, actor, action: 'upload.accepted', subject: upload.path };
    await recordAudit(tx, { ...event, detail });
  });
  return 1;
}

async function renumber({ control, actor, now }: Workplace, upload: UploadRow): Promise<1> {
  const { org, path, blobId, keyFingerprint, address, client, begunAt, closedAt, size, sha256 } = upload;
  await control.transact(async (tx) => {
    await endUpload(tx, upload.id, { state: 'withdrawn', archivedAs: null, at: now() });
    const sent = { org, path, blobId, keyFingerprint, address, client, begunAt, closedAt };
    const id = await insertUpload(tx, { ...sent, state: 'queued' });
    const entry = await findEntryOfUpload(tx, org, upload.id);
    if (entry !== null) await updateEntry(tx, entry.id, { uploadId: id });
    const detail = { upload: id, repeats: upload.id, size, sha256 };
    await recordAudit(tx, { at: now(), org, actor, action: 'upload.requeued', subject: path, detail });
  });
  return 1;
}

async function listMissing({ control, directory }: Workplace, { missing }: Acceptance): Promise<void> {
  for (let after = 0; ; ) {
    const ids = await listImported(control.read, after, pageSize);
    const applied = await filterApplied(directory.read, ids);
    const lost = ids.filter((id) => !applied.has(id));
    for (const { org, path } of await findOrigins(control.read, lost))
      if (missing.length < listedFiles) missing.push(`${org} ${path}`);
    if (ids.length < pageSize) return;
    after = ids.at(-1)!;
  }
}

/** Why the databases do not fit, and the records that the control database has lost, in sentences; empty: they are whole. */
export async function describeMisfits(workplace: Pick<Workplace, 'control' | 'directory'>): Promise<string[]> {
  const { control } = workplace;
  const mismatch = await findMismatch(workplace);
  const lost = control.mark?.lost ?? null;
  const sentences = mismatch === null ? [] : [mismatch.message];
  if (lost !== null) sentences.push(await describeLoss(control, lost));
  return sentences;
}

async function describeLoss(
  { dialect, read }: Workplace['control'],
  { records, uploads, found }: Loss,
): Promise<string> {
  const last = await findRecordTime(read, found);
  const since = last === null ? '' : ` after ${formatTime(last)}`;
  const files =
    uploads === 0 ? '' : `, and up to ${uploads} uploads that were acknowledged (their sealed files are kept)`;
  const cause =
    dialect === 'sqlite'
      ? 'its write-ahead log control.db-wal was removed, or an older copy took its place. Stop the server and restore control.db with its control.db-wal, or a newer backup'
      : 'a fail-over led to a standby that had not received them, or an older copy took its place. If a server of PostgreSQL still has them, stop all nodes and use that one';
  return `the control database has lost ${records} records of its audit trail${since}${files}: ${cause}. If there is none, ask the senders of files${since} to send them again, and run "dropslot databases accept"`;
}
