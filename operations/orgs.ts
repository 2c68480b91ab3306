/** Adds, changes, enables, disables and removes organizations, in both databases. */
import { hasSftp } from '../config/settings.js';
import type { Queryable } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import { type BlobRow, listBlobs } from '../db/control/blobs.js';
import { endWaiting } from '../db/control/holds.js';
import { deleteOrg, insertOrg, lockOrg, type Org, type OrgChange, updateOrg } from '../db/control/orgs.js';
import { forgetAllPartials } from '../db/control/partials.js';
import { forgetOwedSlot, oweSlot } from '../db/control/slots.js';
import { bumpVersion, clearDirectory, deleteDirectory, readVersion } from '../db/directory/directory.js';
import { findErased, forgetErased } from '../db/directory/erasedpeople.js';
import { findUser, insertOwner } from '../db/directory/users.js';
import { DatabaseError } from '../db/error.js';
import { digestErased } from '../importer/read/erased.js';
import { emailKey } from '../importer/read/normalize.js';
import { sweepStages } from '../importer/run/stages.js';
import { jitterOf, lastSlotOf } from '../importer/schedule/jitter.js';
import { applyNameOptions } from '../intake/redirect.js';
import { createOrgIdentity } from '../keys/master/orgidentity.js';
import { removeBlob } from '../storage/blobs.js';
import { removePartials } from '../storage/partials.js';
import { eraseBytes } from './erasebytes.js';
import { OperationError } from './error.js';
import { mergeLimits } from './orgsettings/limitrows.js';
import { mergeOptions } from './orgsettings/optionrows.js';
import { checkOrgId, describeChange, fieldDefaults, type OrgFields } from './orgsettings/orgsettings.js';
import { refuseUnknownPgpKeys } from './pgp.js';
import { requestSftp, requirePlan, requireRequest } from './sftpaccess.js';
import { lockOrganization, type Workplace } from './workplace.js';

export interface AddedOrg {
  org: Org;
  /** false: an earlier, interrupted attempt had added the organization, and this one completed it. */
  created: boolean;
  /** Path of the master key, if this call made it: it must be backed up. null: there was one. */
  madeMasterKey: string | null;
}

/**
 * Adds an organization with its age identity and its owner, an active admin. The next call completes an attempt that was
 * interrupted: the organization is added first, disabled; then the owner; and only then is it enabled.
 * @throws OperationError `usage` for an unusable id, `refused` when the organization exists and is whole.
 */
export async function addOrganization(
  place: Workplace,
  id: string,
  fields: OrgFields & Pick<Org, 'ownerEmail'>,
  enable: boolean,
): Promise<AddedOrg> {
  checkOrgId(id);
  if (enable) requirePlan(place.settings, fields.plan ?? fieldDefaults.plan, id);
  const { master, created: isNewMaster } = await place.makeMaster();
  const at = place.now();
  const org: Org = {
    id,
    name: id,
    ...fieldDefaults,
    ...fields,
    ...(await createOrgIdentity(master.recipient, place.settings.recipientType)),
    oldIdentities: [],
    enabled: false,
    createdAt: at,
    slotsFrom: at,
    expectFrom: 0,
    // `--enable` means that the owner requested it.
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

/** Adds the owner to a directory in which nothing was ever written. Returns whether it was such a one. */
async function completeDirectory(place: Workplace, org: Org): Promise<boolean> {
  if ((await readVersion(place.directory.read, org.id)) > 0) return false;
  return placeOwner(place, org);
}

/** Makes the owner an active admin. Returns whether that changed anything. */
function placeOwner(place: Workplace, org: Org): Promise<boolean> {
  return place.directory.transact((open) => placeOwnerIn(open, place, org));
}

async function placeOwnerIn(open: Queryable, place: Workplace, org: Org): Promise<boolean> {
  const owner = { org: org.id, email: org.ownerEmail, emailKey: emailKey(org.ownerEmail), at: place.now() };
  const isChanged = await insertOwner(open, owner);
  // Second: an erasure that had not seen who is the owner now has ended.
  await readmitOwner(open, place, org);
  return isChanged;
}

/** An operator who names an owner says yes to a person who was erased before. */
async function readmitOwner(open: Queryable, place: Workplace, org: Org): Promise<void> {
  const { erasureKey = null } = await place.org(org.id);
  if (erasureKey === null) return;
  const digest = digestErased(erasureKey, org.id, 'address', emailKey(org.ownerEmail));
  const receipt = await findErased(open, org.id, digest);
  if (receipt !== null) await forgetErased(open, org.id, receipt);
}

/** How a change of the owner may change users, and where its effects are reported. */
export interface OwnerOptions {
  /** Whether an email that no user has creates a user, who becomes an admin. */
  createOwner?: boolean | undefined;
  /** Called with a sentence for each effect of the change that is not a setting that it names. */
  note?: (sentence: string) => void;
}

/** The fields to change; or those that follow from the organization as it is when the change is made, which has no other owner then. */
export type FieldsToSet = OrgFields | ((org: Org) => Omit<OrgFields, 'ownerEmail'>);

/**
 * Changes the given fields. The owner must be a user, and becomes an admin. A change to a plan without SFTP access, or from
 * one, ends the access until it is requested and enabled again. A new slot, time zone or cadence applies from its next
 * occurrence, and so do new expected files; a slot that was missed before is made up for.
 * @throws OperationError `refused` when no user has the owner's address.
 */
export async function setOrganization(
  place: Workplace,
  id: string,
  fields: FieldsToSet,
  { createOwner = false, note = () => {} }: OwnerOptions = {},
): Promise<Org> {
  // Of another organization a token knows nothing.
  await place.org(id);
  const ownerEmail = typeof fields === 'function' ? undefined : fields.ownerEmail;
  const setIn = (owner: Owner | null) => place.control.transact((tx) => changeOrg(tx, place, id, fields, owner));
  const { plan, ending, renamed, owner } =
    ownerEmail === undefined
      ? await setIn(null)
      : // As a person's change of a user: neither that nor an import comes between the owner and the user, who becomes an admin.
        await place.directory.transact(async (open) => {
          await bumpVersion(open, id);
          const changed = await setIn(await judgeOwner(open, id, ownerEmail, createOwner));
          await placeOwnerIn(open, place, await place.org(id));
          return changed;
        });
  if (owner?.remark != null) note(owner.remark);
  if (renamed !== null && renamed.queued > 0) note(`Stored files that are queued now: ${renamed.queued}.`);
  if (renamed !== null && renamed.unqueued > 0) note(`Files that are no longer queued: ${renamed.unqueued}.`);
  if (ending.enabled === false)
    note(`The change of the plan to ${plan} disabled SFTP access for ${id}, and ends its sessions.`);
  if (ending.sftpRequest === null)
    note(`To enable it again: dropslot orgs request-sftp ${id} --by EMAIL, then dropslot orgs enable ${id}`);
  return place.org(id);
}

/** Merges into the organization as it is under its lock: options and limits are stored whole, and others change them too. */
async function changeOrg(tx: Queryable, place: Workplace, id: string, given: FieldsToSet, owner: Owner | null) {
  const before = await lockOrganization(tx, id);
  const fields: OrgFields = typeof given === 'function' ? given(before) : given;
  const { limits, options, ...plain } = fields;
  const change: OrgChange = { ...plain };
  if (limits !== undefined) change.limits = mergeLimits(before.limits, limits);
  if (options !== undefined) change.options = mergeOptions(before.options, options);
  const then = { ...before, ...change };
  if (options?.requireSignature !== undefined || options?.reportsTo !== undefined)
    await refuseUnknownPgpKeys(tx, then, place.now());
  const { cadence, expectFiles, expectBy, expectDays } = then.options;
  const { options: past } = before;
  const isRescheduled = then.slot !== before.slot || then.timeZone !== before.timeZone || cadence !== past.cadence;
  if (isRescheduled) change.slotsFrom = place.now();
  if (expectFiles !== past.expectFiles || expectBy !== past.expectBy || expectDays !== past.expectDays)
    change.expectFrom = place.now();
  const ending = endAccess(place.settings, before, then.plan);
  if (isRescheduled)
    await oweSlot(tx, id, lastSlotOf(before, place.now(), jitterOf(before, place.settings.slotJitterMinutes)).at);
  await updateOrg(tx, id, { ...change, ...ending });
  await audit(tx, place, id, 'org.changed', { ...describeChange(before, fields), ...owner?.detail });
  if (ending.enabled === false) await audit(tx, place, id, 'org.disabled', { reason: 'plan' });
  if (ending.sftpRequest === null) await audit(tx, place, id, 'org.sftp_request_ended', { reason: 'plan' });
  const names = { actor: place.actor, at: place.now() };
  const renamed = change.options === undefined ? null : await applyNameOptions(tx, before, change.options, names);
  return { plan: then.plan, ending, renamed, owner };
}

/** How the user of a new owner changes: for the audit trail, and a sentence for people; null: not. */
interface Owner {
  detail: Record<string, unknown>;
  remark: string | null;
}

/** @throws OperationError `refused` */
async function judgeOwner(open: Queryable, id: string, email: string, mayCreate: boolean): Promise<Owner> {
  const user = await findUser(open, id, emailKey(email));
  if (user === null && !mayCreate)
    throw new OperationError(
      'refused',
      `no user of ${id} has the address ${email}: correct it, import the user first, or create the user, as an admin, with --create-owner`,
    );
  if (user === null)
    return { detail: { owner: 'created as an admin' }, remark: `${email} is a new user, and an admin.` };
  if (user.isAdmin && user.status === 'active') return { detail: {}, remark: null };
  const was = [user.isAdmin ? null : 'no admin', user.status === 'active' ? null : 'deactivated']
    .filter((word) => word !== null)
    .join(', ');
  return {
    detail: { owner: 'made an active admin', user: user.id, was },
    remark: `${user.email} is an active admin now (was: ${was}).`,
  };
}

/** Access that a plan ended needs a new request when a later plan includes it: the operator has not agreed to that. */
function endAccess(
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

/** @throws OperationError `refused` unless the plan includes SFTP access, an admin requested it, and there is an identity. */
export async function enableOrganization(place: Workplace, id: string): Promise<Org> {
  const requireReady = (org: Org) => {
    if (org.sealedIdentity === null)
      throw new OperationError(
        'refused',
        `the identity of organization ${id} was destroyed: create a new one with "dropslot identity rotate ${id}"`,
      );
    requirePlan(place.settings, org.plan, id);
    requireRequest(org);
  };
  const org = await place.org(id);
  requireReady(org);
  await completeDirectory(place, org);
  return setEnabled(place, id, true, requireReady);
}

export function disableOrganization(place: Workplace, id: string): Promise<Org> {
  return setEnabled(place, id, false, () => {});
}

/** @param check throws unless the organization, as it is under its lock, may be changed so. */
async function setEnabled(place: Workplace, id: string, enabled: boolean, check: (org: Org) => void): Promise<Org> {
  await place.org(id);
  await place.control.transact(async (tx) => {
    const org = await lockOrganization(tx, id);
    check(org);
    if (org.enabled === enabled) return;
    await updateOrg(tx, id, enabled ? { enabled, slotsFrom: place.now() } : { enabled });
    if (enabled) await forgetOwedSlot(tx, id);
    await audit(tx, place, id, enabled ? 'org.enabled' : 'org.disabled', {});
  });
  return place.org(id);
}

export interface RemovedOrg {
  files: number;
  bytes: number;
  users: number;
  teams: number;
  /** Whether the databases' own files no longer have its values; false: they do until the server has stopped. */
  isErased: boolean;
}

/**
 * Removes an organization: its directory, its sealed files, and last its rows, so that the next call completes an attempt
 * that was interrupted. The audit trail is kept.
 * @throws OperationError `refused` while an import of it runs.
 */
export async function removeOrganization(place: Workplace, id: string): Promise<RemovedOrg> {
  await disableOrganization(place, id);
  await place.control.transact((tx) => endRuns(tx, place, id));
  const directory = await deleteDirectory(place.directory.write, id);
  const early = await listBlobs(place.control.read, id);
  await removeFiles(place, early);
  const { removed, partials, late } = await place.directory.transact(async (open) => {
    // A run that was opened since may have made people again. The directory first, as for the edit of a user.
    const again = await clearDirectory(open, id);
    return place.control.transact(async (tx) => {
      // From here on no other process adds a row of this organization.
      await endRuns(tx, place, id);
      const forgotten = await forgetAllPartials(tx, id);
      const known = new Set(early.map((blob) => blob.id));
      const blobs = (await listBlobs(tx, id)).filter((blob) => !known.has(blob.id));
      const all = [...early, ...blobs];
      const counts = {
        ...{ files: all.length, bytes: all.reduce((sum, { size }) => sum + size, 0) },
        ...{ users: directory.users + again.users, teams: directory.teams + again.teams },
      };
      await deleteOrg(tx, id);
      await audit(tx, place, id, 'org.removed', counts);
      return { removed: counts, partials: forgotten, late: blobs };
    });
  });
  await removeFiles(place, late);
  await removePartials(place, partials);
  await sweepStages(place);
  return { ...removed, isErased: await eraseBytes(place) };
}

/** Locks the organization. @throws OperationError `refused` while an import of it runs. */
async function endRuns(tx: Queryable, place: Workplace, id: string): Promise<void> {
  await lockOrg(tx, id, true);
  if (!(await endWaiting(tx, id, place.now())))
    throw new OperationError(
      'refused',
      `an import of ${id} is running: wait until it has finished, then repeat the command`,
    );
}

/** Removes sealed files, whose rows `deleteOrg` removes. A file that is missing already is no error. */
async function removeFiles(place: Workplace, blobs: readonly BlobRow[]): Promise<void> {
  for (const { id } of blobs) await removeBlob(place.paths, id);
}

function audit(tx: Queryable, place: Workplace, org: string, action: string, detail: Record<string, unknown>) {
  return recordAudit(tx, { at: place.now(), org, actor: place.actor, action, subject: org, detail });
}
