/** Supersedes files that a client replaced while a run was working on them, if the run did not apply them. */
import type { Queryable } from '../connection.js';
import { recordAudit } from './audit.js';
import { findEntryOfUpload } from './entries.js';
import { archiveUpload } from './settle.js';
import { supersededFolder } from './treelayout.js';
import { listQueue, supersedeUpload, type UploadRow } from './uploads.js';

/**
 * Archives those of the uploads, queued or held, that a newer one of their name in the queue takes the place of; how many.
 * @param date the folder in the archive, yyyy-mm-dd.
 */
export async function supersedeReplaced(
  tx: Queryable,
  org: string,
  uploads: readonly UploadRow[],
  date: string,
  at: number,
): Promise<number> {
  const queue = await listQueue(tx, org);
  let superseded = 0;
  for (const { id, path, size, sha256, queueNumber } of uploads) {
    if (!queue.some((newer) => newer.path === path && isNewer(newer, { id, queueNumber }))) continue;
    // One that its sender has renamed meanwhile is another file.
    if ((await findEntryOfUpload(tx, org, id)) !== null) continue;
    const place = `${supersededFolder(date)}/${path.slice(path.lastIndexOf('/') + 1)}`;
    const archivedAs = await archiveUpload(tx, org, id, place, at);
    if (!(await supersedeUpload(tx, id, { archivedAs, at }))) continue;
    superseded++;
    const detail = { upload: id, outcome: 'superseded', size, sha256, archivedAs };
    await recordAudit(tx, { at, org, actor: 'system', action: 'upload.superseded', subject: path, detail });
  }
  return superseded;
}

type Place = Pick<UploadRow, 'id' | 'queueNumber'>;

function isNewer(one: Place, other: Place): boolean {
  return one.queueNumber! > other.queueNumber! || (one.queueNumber === other.queueNumber && one.id > other.id);
}
