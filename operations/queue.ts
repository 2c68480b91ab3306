/** The uploads of an organization: those that wait for their import, those that are not imported because of their names, and all. */

import { findOrgs, listOrgs, type Org } from '../db/control/orgs.js';
import { listHeldRuns } from '../db/control/orgstates.js';
import {
  listAllUploads,
  listHeld,
  listQueue,
  listStoredUploads,
  listUploadsAfter,
  searchUploads,
  type UploadRow,
  type UploadState,
} from '../db/control/uploads.js';
import { describeName } from './storedfiles.js';
import type { Workplace } from './workplace.js';

/** In the order of lists. */
const waitingStates: UploadState[] = ['held', 'queued', 'stored'];

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
  const files = (await listAllUploads(db, waitingStates)).map((upload) => withNote(upload, orgs));
  const rank = ({ state }: UploadRow) => waitingStates.indexOf(state);
  const byOrg = (one: UploadRow, other: UploadRow) => (one.org < other.org ? -1 : one.org > other.org ? 1 : 0);
  return { heldRuns, files: files.sort((one, other) => byOrg(one, other) || rank(one) - rank(other)) };
}

/** A part of those of all organizations, the oldest first. @param range.after an upload; 0: from the first one */
export async function listWaitingAfter(place: Workplace, range: { after: number; limit: number }): Promise<Waiting> {
  const db = place.control.read;
  const uploads = await listUploadsAfter(db, waitingStates, range);
  const owners = new Set(uploads.filter(({ state }) => state === 'stored').map(({ org }) => org));
  const orgs = new Map((await findOrgs(db, [...owners])).map((org) => [org.id, org]));
  return { heldRuns: await listHeldRuns(db), files: uploads.map((upload) => withNote(upload, orgs)) };
}

/** All uploads of an organization, also those whose files were removed, the newest first. @throws OperationError `not_found` */
export async function listUploads(
  { control, org }: Workplace,
  orgId: string,
  search: { text: string; before: number | undefined; limit: number },
): Promise<QueuedFile[]> {
  const own = await org(orgId);
  const orgs = new Map([[own.id, own]]);
  return (await searchUploads(control.read, own.id, search)).map((upload) => withNote(upload, orgs));
}

function withNote(upload: UploadRow, orgs: ReadonlyMap<string, Pick<Org, 'options'>>): QueuedFile {
  if (upload.state === 'held') return { ...upload, note: noteOfHeld(upload) };
  const options = orgs.get(upload.org)?.options;
  return { ...upload, note: upload.state === 'stored' && options ? describeName(upload.path, options) : null };
}

function noteOfHeld({ runId }: UploadRow): string {
  return `held with run ${runId}`;
}
