/** Adding, changing and removing organizations, across both databases. */

import { hasSftp } from '../config/settings.js';
import type { Queryable } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import { listBlobs } from '../db/control/blobs.js';
import { deleteOrg, insertOrg, type Org, type OrgChange, updateOrg } from '../db/control/orgs.js';
import { forgetAllPartials } from '../db/control/partials.js';
import { listRuns } from '../db/control/runs.js';
import { deleteDirectory, readVersion } from '../db/directory/directory.js';
import { findUser, insertOwner } from '../db/directory/users.js';
import { DatabaseError } from '../db/error.js';
import { emailKey } from '../importer/read/normalize.js';
import { createOrgIdentity } from '../keys/master/orgidentity.js';
import { removeBlob } from '../storage/blobs.js';
import { removePartials } from '../storage/partials.js';
import { OperationError } from './error.js';
import { mergeLimits } from './orglimits.js';
import { mergeOptions } from './orgoptions.js';
import { checkOrgId, describeChange, type OrgFields } from './orgsettings.js';
import { requestSftp, requirePlan, requireRequest } from './sftpaccess.js';
import type { Workplace } from './workplace.js';

const standardPlan = 'enterprise';

export interface AddedOrg {
  org: Org;
  /** false: an earlier, interrupted attempt had made the organization; this one completed it. */
  created: boolean;
  /** Path of the master key when this made it: it must be backed up. */
  madeMasterKey: string | null;
}

/**
 * Makes an organization with its age identity and its owner, an active admin. An attempt that was cut short is completed
 * by the next one: the organization comes first and disabled, then the owner, and only then is it enabled.
 * @throws OperationError `usage` for an unusable id, `refused` when the organization exists and is whole.
 */
export async function addOrganization(
  place: Workplace,
  id: string,
  fields: OrgFields & Pick<Org, 'ownerEmail'>,
  enable: boolean,
): Promise<AddedOrg> {
  checkOrgId(id);
  if (enable) requirePlan(place.settings, fields.plan ?? standardPlan, id);
  const { master, created: isNewMaster } = await place.makeMaster();
  const at = place.now();
  const org: Org = {
    id,
    name: id,
    plan: standardPlan,
    slot: '02:00',
    timeZone: 'UTC',
    dateFormat: 'auto',
    teamsMode: 'add',
    ...fields,
    ...(await createOrgIdentity(master.recipient, place.settings.recipientType)),
    oldIdentities: [],
    enabled: false,
    createdAt: at,
    slotsFrom: at,
    expectFrom: 0,
    // `--enable` says that the owner asked.
    sftpRequest: enable ? { at, by: fields.ownerEmail } : null,
    limits: {},
    options: {},
  };
  const created = await insertNew(place, org);
  const kept = created ? org : await place.org(id);
  const completed = await completeDirectory(place, kept);
  if (!created && !completed) throw new OperationError('refused', `organization ${id} exists already`);
  if (enable && kept.sftpRequest === null) await requestSftp(place, id, kept.ownerEmail);
  if (enable) await enableOrganization(place, id);
  const madeMasterKey = isNewMaster ? place.paths.masterKey : null;
  return { org: await place.org(id), created, madeMasterKey };
}

/** false: the id is taken. */
async function insertNew(place: Workplace, org: Org): Promise<boolean> {
  const { slot, timeZone, dateFormat, plan } = org;
  try {
    await place.control.transact(async (tx) => {
      await insertOrg(tx, org);
      await audit(tx, place, org.id, 'org.added', { slot, timeZone, dateFormat, plan });
      if (org.sftpRequest !== null) await audit(tx, place, org.id, 'org.sftp_requested', { user: 'owner' });
    });
    return true;
  } catch (error) {
    if (error instanceof DatabaseError && error.code === 'duplicate') return false;
    throw error;
  }
}

/** Gives a directory in which nothing was ever written its owner; whether it had to. */
async function completeDirectory(place: Workplace, org: Org): Promise<boolean> {
  if ((await readVersion(place.directory.read, org.id)) > 0) return false;
  return placeOwner(place, org);
}

/** Makes the owner an active admin; whether they were not. */
function placeOwner(place: Workplace, org: Org): Promise<boolean> {
  const owner = { org: org.id, email: org.ownerEmail, emailKey: emailKey(org.ownerEmail), at: place.now() };
  return insertOwner(place.directory.write, owner);
}

/** What `owner=` may do to users, and who is told. */
export interface OwnerOptions {
  /** Whether an address that no user has makes a new user, an admin. */
  createOwner?: boolean | undefined;
  /** Told what the change does beside what it names. */
  tell?: (line: string) => void;
}

/**
 * Changes what `fields` name. The owner must be a user, and becomes an admin. A plan that is left for one without the SFTP
 * door, or from one, closes the door until it is asked for and agreed to again. A new slot, time zone or cadence begins with its next occurrence, and so does what is expected;
 * a slot that was missed before is caught up, unless slots are other ones now.
 * @throws OperationError `refused` when no user has the owner's address.
 */
export async function setOrganization(
  place: Workplace,
  id: string,
  fields: OrgFields,
  { createOwner = false, tell = () => {} }: OwnerOptions = {},
): Promise<Org> {
  const before = await place.org(id);
  const { limits, options, ...plain } = fields;
  const change: OrgChange = { ...plain };
  if (limits !== undefined) change.limits = mergeLimits(before.limits, limits);
  if (options !== undefined) change.options = mergeOptions(before.options, options);
  const then = { ...before, ...change };
  const { cadence, expectFiles, expectBy, expectDays } = then.options;
  const { options: past } = before;
  if (then.slot !== before.slot || then.timeZone !== before.timeZone || cadence !== past.cadence)
    change.slotsFrom = place.now();
  if (expectFiles !== past.expectFiles || expectBy !== past.expectBy || expectDays !== past.expectDays)
    change.expectFrom = place.now();
  const owner = fields.ownerEmail === undefined ? null : await judgeOwner(place, id, fields.ownerEmail, createOwner);
  const closing = closeDoor(place.settings, before, then.plan);
  await place.control.transact(async (tx) => {
    await updateOrg(tx, id, { ...change, ...closing });
    await audit(tx, place, id, 'org.changed', { ...describeChange(before, fields), ...owner?.detail });
    if (closing.enabled === false) await audit(tx, place, id, 'org.disabled', { reason: 'plan' });
    if (closing.sftpRequest === null) await audit(tx, place, id, 'org.sftp_request_ended', { reason: 'plan' });
  });
  const after = await place.org(id);
  if (owner?.told != null) tell(owner.told);
  if (closing.enabled === false) tell(`The plan ${then.plan}: the SFTP door of ${id} is closed, and sessions end.`);
  if (closing.sftpRequest === null)
    tell(`To open it again: dropslot orgs request-sftp ${id} --by EMAIL, then dropslot orgs enable ${id}`);
  if (fields.ownerEmail !== undefined) await placeOwner(place, after);
  return after;
}

/** What the new owner becomes, for the audit trail and for people. @throws OperationError `refused` */
async function judgeOwner(
  place: Workplace,
  id: string,
  email: string,
  mayCreate: boolean,
): Promise<{ detail: Record<string, unknown>; told: string | null }> {
  const user = await findUser(place.directory.read, id, emailKey(email));
  if (user === null && !mayCreate)
    throw new OperationError(
      'refused',
      `no user of ${id} has the address ${email}: mend it, import the user first, or make it a new user and admin with --create-owner`,
    );
  if (user === null) return { detail: { owner: 'created as an admin' }, told: `${email} is a new user, and an admin.` };
  if (user.isAdmin && user.status === 'active') return { detail: {}, told: null };
  const was = [user.isAdmin ? null : 'no admin', user.status === 'active' ? null : 'deactivated']
    .filter((word) => word !== null)
    .join(', ');
  return {
    detail: { owner: 'made an active admin', user: user.id, was },
    told: `${user.email} is an active admin now (was: ${was}).`,
  };
}

/** A door that a plan has closed stays closed when the plan has one again: nobody has agreed to that. */
function closeDoor(
  settings: Workplace['settings'],
  before: Org,
  plan: string,
): Pick<OrgChange, 'enabled' | 'sftpRequest'> {
  if (plan === before.plan || (hasSftp(settings, before.plan) && hasSftp(settings, plan))) return {};
  return {
    ...(before.enabled && { enabled: false }),
    ...(before.sftpRequest !== null && { sftpRequest: null }),
  };
}

/** @throws OperationError `refused` unless the plan has an SFTP door, an admin asked for it, and there is an identity. */
export async function enableOrganization(place: Workplace, id: string): Promise<Org> {
  const org = await place.org(id);
  if (org.sealedIdentity === null)
    throw new OperationError(
      'refused',
      `the identity of organization ${id} was destroyed: make a new one with "dropslot identity rotate ${id}"`,
    );
  requirePlan(place.settings, org.plan, id);
  requireRequest(org);
  await completeDirectory(place, org);
  return setEnabled(place, org, true);
}

export async function disableOrganization(place: Workplace, id: string): Promise<Org> {
  return setEnabled(place, await place.org(id), false);
}

async function setEnabled(place: Workplace, org: Org, enabled: boolean): Promise<Org> {
  if (org.enabled === enabled) return org;
  await place.control.transact(async (tx) => {
    await updateOrg(tx, org.id, enabled ? { enabled, slotsFrom: place.now() } : { enabled });
    await audit(tx, place, org.id, enabled ? 'org.enabled' : 'org.disabled', {});
  });
  return place.org(org.id);
}

export interface RemovedOrg {
  files: number;
  bytes: number;
  users: number;
  teams: number;
}

/**
 * Removes an organization: its directory, its sealed files, and last its rows, so that an attempt that was cut short is
 * completed by the next one. The audit trail stays.
 * @throws OperationError `refused` while an import of it runs.
 */
export async function removeOrganization(place: Workplace, id: string): Promise<RemovedOrg> {
  await disableOrganization(place, id);
  if ((await listRuns(place.control.read, id)).some((run) => run.state === 'running'))
    throw new OperationError('refused', `an import of ${id} is running: wait for its end, then remove it`);
  const directory = await deleteDirectory(place.directory.write, id);
  const removed: RemovedOrg = { files: 0, bytes: 0, ...directory };
  await removeFiles(place, id, removed);
  const partials = await place.control.transact(async (tx) => {
    const forgotten = await forgetAllPartials(tx, id);
    await deleteOrg(tx, id);
    await audit(tx, place, id, 'org.removed', { ...removed });
    return forgotten;
  });
  await removePartials(place.paths, partials);
  return removed;
}

/** Removes the sealed files; the rows go with the organization's. Bytes that are gone already are no error. */
async function removeFiles(place: Workplace, org: string, removed: RemovedOrg): Promise<void> {
  for (const blob of await listBlobs(place.control.read, org)) {
    await removeBlob(place.paths, blob.id);
    removed.files++;
    removed.bytes += blob.size;
  }
}

function audit(tx: Queryable, place: Workplace, org: string, action: string, detail: Record<string, unknown>) {
  return recordAudit(tx, { at: place.now(), org, actor: place.actor, action, subject: org, detail });
}
