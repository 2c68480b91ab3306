/** Removes files below `/dry-run` some time after their check, when their senders have had time to look at them. */
import { recordAudit } from '../../db/control/audit.js';
import { isBlobLive } from '../../db/control/blobs.js';
import { listSpentFiles, lockSpent } from '../../db/control/checks.js';
import { deleteExpiredFiles } from '../../db/control/retention.js';
import { removeBlob } from '../../storage/blobs.js';
import type { RunDeps } from '../run/deps.js';

/** Clients compare the folder with the files they have sent: until then the file remains in it. */
const keepMs = 10 * 60_000;
/** Files that one call removes. */
const mostFiles = 50;

/** How many were removed. */
export async function removeCheckedDryRuns({
  control,
  paths,
  now,
}: Pick<RunDeps, 'control' | 'paths' | 'now'>): Promise<number> {
  const spent = await listSpentFiles(control.read, now() - keepMs, mostFiles);
  for (const file of spent) {
    const gone = await control.transact(async (tx) => {
      if (!(await lockSpent(tx, file))) return [];
      const files = await deleteExpiredFiles(tx, [file]);
      const event = { at: now(), org: file.org, actor: 'system', action: 'dry_run.removed', subject: file.org };
      if (files.length > 0) await recordAudit(tx, { ...event, detail: { blob: file.blobId } });
      return files;
    });
    for (const { blobId } of gone) if (!(await isBlobLive(control.read, blobId))) await removeBlob(paths, blobId);
  }
  return spent.length;
}
