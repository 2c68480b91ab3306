/** Who may decide about a held run: the settings `approvals` and `twoPersonApproval` of its organization. */
import type { Queryable } from '../db/connection.js';
import { findLoginKey } from '../db/control/keys.js';
import type { Run } from '../db/control/runs.js';
import { findToken } from '../db/control/tokens.js';
import { listHeld, type UploadRow } from '../db/control/uploads.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

type Decider = Pick<Workplace, 'control' | 'actor' | 'isOfOrg' | 'org'>;

export interface ApprovalRights {
  /** Why the actor may neither approve nor reject the run; null: they may. */
  undecidable: string | null;
  /** Why the actor may not approve it; null: they may. */
  unapprovable: string | null;
  /** Paths of files of the run that no known person sent, where two people are asked for: only operators may approve them. */
  ofUnknown: string[];
}

/** The rights of the actor about a held run, for a page that shows it. */
export async function readApprovalRights(place: Decider, run: Run): Promise<ApprovalRights> {
  const { approvals, twoPersonApproval = false } = (await place.org(run.org)).options;
  const undecidable =
    approvals === 'operators' && place.isOfOrg === true
      ? `operators decide about held runs of ${run.org} (setting approvals): ask your operator`
      : null;
  if (!twoPersonApproval) return { undecidable, unapprovable: undecidable, ofUnknown: [] };
  const self = await peopleOf(place.control.read, place.actor);
  const own: string[] = [];
  const ofUnknown: string[] = [];
  for (const upload of await listHeld(place.control.read, run.id)) {
    const senders = await sendersOf(place, upload);
    if (senders.length === 0) ofUnknown.push(upload.path);
    if (senders.some((sender) => self.includes(sender))) own.push(upload.path);
  }
  const files = own.map((path) => JSON.stringify(path)).join(', ');
  const ownUpload =
    own.length === 0
      ? null
      : `you sent ${files}, with a key or token of your own: ${run.org} asks for two people (setting twoPersonApproval), so another person must approve run ${run.id}`;
  return { undecidable, unapprovable: undecidable ?? ownUpload ?? refuseUnknown(place, run, ofUnknown), ofUnknown };
}

/** A sender who is not known could be the person who approves: only an operator may rule that out. */
function refuseUnknown({ isOfOrg }: Decider, { id, org }: Run, paths: readonly string[]): string | null {
  if (isOfOrg !== true || paths.length === 0) return null;
  const files = paths.map((path) => JSON.stringify(path)).join(', ');
  return `it is not known which person sent ${files}: it came from a source, or with a key that was added on the server. ${org} asks for two people (setting twoPersonApproval), so an operator must approve run ${id}; the sender of later files is known when an admin adds the key in the console`;
}

/** @throws OperationError `refused` */
export async function refuseDecision(place: Decider, run: Run): Promise<void> {
  const { undecidable } = await readApprovalRights(place, run);
  if (undecidable !== null) throw new OperationError('refused', undecidable);
}

/** @throws OperationError `refused` */
export async function refuseApproval(place: Decider, run: Run): Promise<void> {
  const { unapprovable } = await readApprovalRights(place, run);
  if (unapprovable !== null) throw new OperationError('refused', unapprovable);
}

/** The people and tokens behind an upload; empty: none is known. */
async function sendersOf(place: Decider, { org, keyFingerprint, client }: UploadRow): Promise<string[]> {
  // An upload over HTTPS has no key, and names its token as its client.
  if (keyFingerprint === null) return peopleOf(place.control.read, client ?? '');
  const key = await findLoginKey(place.control.read, org, keyFingerprint);
  return peopleOf(place.control.read, key?.addedBy ?? '');
}

/** An actor, and of a token also the person who made it. Users of the server's shell are no known people. */
async function peopleOf(db: Queryable, actor: string): Promise<string[]> {
  if (actor.startsWith('web:')) return [actor];
  if (!actor.startsWith('token:')) return [];
  const token = await findToken(db, actor.slice('token:'.length));
  return [actor, ...(token === null ? [] : await peopleOf(db, token.createdBy))];
}
