/** The uploads of an organization that wait for their import. */
import { listQueue, type UploadRow } from '../db/control/uploads.js';
import type { Workplace } from './workplace.js';

export type { UploadRow } from '../db/control/uploads.js';

/** Oldest first. @throws OperationError `not_found` */
export async function listQueued({ control, org }: Workplace, orgId: string): Promise<UploadRow[]> {
  return listQueue(control.read, (await org(orgId)).id);
}
