/** The uploads of an organization that wait for their import, and those that are stored and not imported because of their names. */
import { listQueue, listStoredUploads, type UploadRow } from '../db/control/uploads.js';
import { describeName } from './storedfiles.js';
import type { Workplace } from './workplace.js';

export interface QueuedFile extends UploadRow {
  /** Why it is not queued; null: it is. */
  note: string | null;
}

/** The queue, oldest first, and then the files that are not in it. @throws OperationError `not_found` */
export async function listQueued({ control, org }: Workplace, orgId: string): Promise<QueuedFile[]> {
  const { id, options } = await org(orgId);
  const queued = await listQueue(control.read, id);
  const stored = await listStoredUploads(control.read, id);
  return [
    ...queued.map((upload) => ({ ...upload, note: null })),
    ...stored.map((upload) => ({ ...upload, note: describeName(upload.path, options) })),
  ];
}
