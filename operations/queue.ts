/** The uploads of an organization that wait for their import, and those that are stored and not imported because of their names. */

import { listOrgs } from '../db/control/orgs.js';
import { listHeldRuns } from '../db/control/orgstates.js';
import { listAllUploads, listHeld, listQueue, listStoredUploads, type UploadRow } from '../db/control/uploads.js';
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

export interface Waiting {
  /** Files of held runs, those that are queued, and those that are not in the queue. */
  files: QueuedFile[];
  /** By organization, the held run that blocks its next imports. */
  heldRuns: ReadonlyMap<string, number>;
}

/** As listQueued, with the files of held runs; of all organizations without `orgId`. @throws OperationError `not_found` */
export async function listWaiting(place: Workplace, orgId?: string): Promise<Waiting> {
  const db = place.control.read;
  if (orgId !== undefined) {
    const queued = await listQueued(place, orgId);
    const heldRuns = await listHeldRuns(db, orgId);
    const run = heldRuns.get(orgId);
    const held = run === undefined ? [] : await listHeld(db, run);
    return { heldRuns, files: [...held.map((upload) => ({ ...upload, note: noteOfHeld(upload) })), ...queued] };
  }
  const heldRuns = await listHeldRuns(db);
  const orgs = new Map((await listOrgs(db)).map((org) => [org.id, org]));
  const files = (await listAllUploads(db, ['held', 'queued', 'stored'])).map((upload) => {
    if (upload.state === 'held') return { ...upload, note: noteOfHeld(upload) };
    const options = orgs.get(upload.org)?.options;
    return { ...upload, note: upload.state === 'stored' && options ? describeName(upload.path, options) : null };
  });
  const rank = ({ state }: UploadRow) => ['held', 'queued', 'stored'].indexOf(state);
  const byOrg = (one: UploadRow, other: UploadRow) => (one.org < other.org ? -1 : one.org > other.org ? 1 : 0);
  return { heldRuns, files: files.sort((one, other) => byOrg(one, other) || rank(one) - rank(other)) };
}

function noteOfHeld({ runId }: UploadRow): string {
  return `held with run ${runId}`;
}
