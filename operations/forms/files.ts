/** Queued and stored files as JSON. The command line and the API give the same. */
import type { ListedFile } from '../files.js';
import { isoTime } from '../format.js';
import type { QueuedFile } from '../queue.js';

/** @param heldRun that blocks the next imports of its organization; null: none is held */
export function queuedToJson(upload: QueuedFile, heldRun: number | null) {
  return {
    upload: upload.id,
    org: upload.org,
    path: upload.path,
    size: upload.size,
    sha256: upload.sha256,
    state: upload.state,
    note: upload.note,
    check: upload.checkVerdict,
    checkedAt: isoTime(upload.checkedAt),
    heldRun,
    queuedAt: isoTime(upload.queuedAt),
    closedAt: isoTime(upload.closedAt),
    keyFingerprint: upload.keyFingerprint,
    address: upload.address,
    client: upload.client,
  };
}

export function uploadToJson(upload: QueuedFile) {
  const { heldRun: _none, ...known } = queuedToJson(upload, null);
  const { runId, settledAt, archivedAs, type, rows } = upload;
  return { ...known, run: runId, settledAt: isoTime(settledAt), archivedAs, type, rows };
}

export function fileToJson({ mtimeMs, createdAt, ...file }: ListedFile) {
  return { ...file, modifiedAt: isoTime(mtimeMs), createdAt: isoTime(createdAt) };
}
