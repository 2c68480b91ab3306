/** Why a file did not arrive, or was not imported: all that is known about an organization's files of a name, and its connections. */
import { hasSftp } from '../config/settings.js';
import type { LoginAttempt } from '../db/control/loginattempts.js';
import type { Org } from '../db/control/orgs.js';
import { listAllPartials } from '../db/control/partials.js';
import { findHeldRun } from '../db/control/runs.js';
import { searchUploads, type UploadRow, type UploadState } from '../db/control/uploads.js';
import { listConnections } from './connections.js';
import { findNextSlot } from './orgdetails.js';
import { describeName } from './storedfiles.js';
import type { Workplace } from './workplace.js';

const mostUploads = 50;
const mostPartials = 20;
const mostAttempts = 20;

export interface FoundFile {
  path: string;
  arrivedAt: number;
  address: string | null;
  state: UploadState;
  /** The run that has or had it; null: none. */
  run: number | null;
  /** Of a stored file: why it is not queued, and the way out. */
  note: string | null;
}

/** An upload that has not ended, or was cut off. */
export interface CutOffUpload {
  path: string;
  /** Plaintext bytes that are kept; null: it is in progress, or its server died. */
  bytes: number | null;
  at: number;
}

export interface Arrivals {
  org: Org;
  hasPlan: boolean;
  heldRun: number | null;
  nextSlotAt: number;
  files: FoundFile[];
  cutOff: CutOffUpload[];
  /** The newest first. */
  refused: LoginAttempt[];
  lastLogin: LoginAttempt | null;
}

/** @param name part of a path, in any case; empty: every file. @throws OperationError `not_found` */
export async function traceArrivals(place: Workplace, orgId: string, name: string): Promise<Arrivals> {
  const { control, settings } = place;
  const org = await place.org(orgId);
  const uploads = await searchUploads(control.read, org.id, { text: name, limit: mostUploads });
  const partials = await listAllPartials(control.read, { org: org.id });
  const attempts = await listConnections(place, org.id, 200);
  const paths = partials.map(({ dir, name: own, state, size, updatedAt }) => ({
    path: dir === '/' ? `/${own}` : `${dir}/${own}`,
    bytes: state === 'open' ? null : size,
    at: updatedAt,
  }));
  return {
    org,
    hasPlan: hasSftp(settings, org.plan),
    heldRun: (await findHeldRun(control.read, org.id))?.id ?? null,
    nextSlotAt: findNextSlot(place, org),
    files: uploads.map((upload) => describe(upload, org)),
    cutOff: paths
      .filter(({ path }) => path.toLowerCase().includes(name.toLowerCase()))
      .sort((one, other) => other.at - one.at)
      .slice(0, mostPartials),
    refused: attempts.filter(({ reason }) => reason !== null).slice(0, mostAttempts),
    lastLogin: attempts.find(({ reason }) => reason === null) ?? null,
  };
}

function describe({ path, closedAt, address, state, runId }: UploadRow, { options }: Org): FoundFile {
  const note = state === 'stored' ? describeName(path, options) : null;
  return { path, arrivedAt: closedAt, address, state, run: runId, note };
}
