/** Organizations: who they are, when their slot is, and the recipient that seals their files. */

import type { Queryable } from '../connection.js';
import { DatabaseError, isUniqueViolation } from '../error.js';
import { bumpAccess } from './accessversion.js';
import type { OrgOptions } from './orgoptions.js';

export type DateFormat = 'auto' | 'mdy' | 'dmy';
export type TeamsMode = 'add' | 'replace';

/** A former identity: it seals no more files, and still opens those that were sealed to it. */
export interface SealedIdentity {
  recipient: string;
  /** Armored age, for the master recipient. */
  sealedIdentity: string;
  retiredAt: number;
}

/** An organization's own limits; the settings of the same names hold without them. */
export const limitNames = ['maxStoredBytes', 'maxFileBytes', 'maxFiles', 'maxFolderDepth', 'maxNameBytes'] as const;
export type LimitName = (typeof limitNames)[number];
export type OrgLimits = Partial<Record<LimitName, number>>;

export interface Org {
  id: string;
  name: string;
  ownerEmail: string;
  plan: string;
  enabled: boolean;
  /** Wall clock of `timeZone`, HH:MM. */
  slot: string;
  /** IANA name. */
  timeZone: string;
  dateFormat: DateFormat;
  teamsMode: TeamsMode;
  /** `age1…`: seals this organization's files. */
  recipient: string;
  /** The organization's age identity, sealed to the master recipient (armored age); null once destroyed. */
  sealedIdentity: string | null;
  /** Identities that are being rotated out: some file may still be sealed to them. */
  oldIdentities: readonly SealedIdentity[];
  createdAt: number;
  limits: OrgLimits;
  /** Options of this organization. */
  options: OrgOptions;
  /** Slots before this time (ms) are not caught up: the organization did not exist, was not enabled, or had another slot. */
  slotsFrom: number;
  /** Deadlines before this time (ms) do not count: other files were expected, or none; 0: it was never changed. */
  expectFrom: number;
  /** The admin who requested SFTP access, and when; null: not requested. */
  sftpRequest: { at: number; by: string } | null;
  /** Key of the digests of erased people, in hex; absent: the organization has erased nobody. */
  erasureKey?: string | undefined;
}

/** The columns of an organization that an operator may change. */
export type OrgChange = Partial<
  Pick<
    Org,
    | 'name'
    | 'ownerEmail'
    | 'plan'
    | 'enabled'
    | 'slot'
    | 'timeZone'
    | 'dateFormat'
    | 'teamsMode'
    | 'slotsFrom'
    | 'expectFrom'
    | 'limits'
    | 'options'
    | 'recipient'
    | 'sealedIdentity'
    | 'oldIdentities'
    | 'sftpRequest'
    | 'erasureKey'
  >
>;

/** A row as the database has it. */
export interface OrgRow {
  id: string;
  name: string;
  owner_email: string;
  plan: string;
  enabled: number;
  slot: string;
  time_zone: string;
  date_format: DateFormat;
  teams_mode: TeamsMode;
  recipient: string;
  sealed_identity: string | null;
  old_identities: string;
  created_at: number;
  slots_from: number;
  expect_from: number;
  limits: string;
  options: string;
  sftp_requested_at: number | null;
  sftp_requested_by: string | null;
  erasure_key: string | null;
}

/** @throws DatabaseError `duplicate` when the id is taken. */
export async function insertOrg(db: Queryable, org: Org): Promise<void> {
  try {
    await db('orgs').insert(toRow(org));
  } catch (cause) {
    if (isUniqueViolation(cause))
      throw new DatabaseError('duplicate', `organization ${org.id} exists already`, { cause });
    throw cause;
  }
}

/** null: no such organization. */
export async function findOrg(db: Queryable, id: string): Promise<Org | null> {
  const row = await db<OrgRow>('orgs').where({ id }).first();
  return row === undefined ? null : readOrg(row);
}

/** As findOrg for many at once. */
export async function findOrgs(db: Queryable, ids: readonly string[]): Promise<Org[]> {
  return (await db<OrgRow>('orgs').whereIn('id', ids)).map(readOrg);
}

/** As findOrg, and locks the row until the transaction ends. `forChange` also keeps other readers of this kind out. */
export async function lockOrg(tx: Queryable, id: string, forChange: boolean): Promise<Org | null> {
  const query = tx<OrgRow>('orgs').where({ id }).first();
  const row = await (forChange ? query.forUpdate() : query.forShare());
  return row === undefined ? null : readOrg(row);
}

/**
 * As lockOrg, against each CLOSE, and each rename of a file: these share the organization. Before every other row, in a transaction that does
 * not share it already: so it waits for no transaction that waits for this one.
 */
export async function lockUploadsOf(tx: Queryable, id: string): Promise<Org | null> {
  // Not FOR UPDATE: rows that refer to the organization may be added meanwhile.
  const row = await tx<OrgRow>('orgs').where({ id }).forNoKeyUpdate().first();
  return row === undefined ? null : readOrg(row);
}

export async function listOrgs(db: Queryable): Promise<Org[]> {
  return (await db<OrgRow>('orgs').orderBy('id')).map(readOrg);
}

/** What lists of all organizations need: their rows have long secrets, which thousands of rows would read in vain. */
export type OrgHead = Pick<Org, 'id' | 'name' | 'enabled' | 'slot' | 'timeZone' | 'options'>;

/** In the order of their ids. */
export async function listOrgHeads(db: Queryable): Promise<OrgHead[]> {
  const rows = await db<OrgRow>('orgs').orderBy('id').select('id', 'name', 'enabled', 'slot', 'time_zone', 'options');
  return rows.map(({ id, name, enabled, slot, time_zone: timeZone, options }) => {
    return { id, name, enabled: enabled === 1, slot, timeZone, options: JSON.parse(options) };
  });
}

/** Those after an id, in the order of their ids. */
export async function listOrgsAfter(db: Queryable, after: string, limit: number): Promise<Org[]> {
  return (await db<OrgRow>('orgs').where('id', '>', after).orderBy('id').limit(limit)).map(readOrg);
}

/** Whether the organization was there. */
export async function updateOrg(db: Queryable, id: string, change: OrgChange): Promise<boolean> {
  const row = toRow(change);
  if (Object.keys(row).length === 0) return (await findOrg(db, id)) !== null;
  const isThere = (await db<OrgRow>('orgs').where({ id }).update(row)) > 0;
  if ([change.enabled, change.options, change.plan].some((one) => one !== undefined)) await bumpAccess(db);
  return isThere;
}

/** Removes the organization with its keys, tree, queue and runs (the audit trail is kept). The caller deletes its blobs. */
export async function deleteOrg(db: Queryable, id: string): Promise<void> {
  await db('entries').where({ org_id: id }).delete();
  await db('uploads').where({ org_id: id }).delete();
  await db('orgs').where({ id }).delete();
  await bumpAccess(db);
}

function toRow(org: Partial<Org>): Partial<OrgRow> {
  const row = {
    id: org.id,
    name: org.name,
    owner_email: org.ownerEmail,
    plan: org.plan,
    enabled: org.enabled === undefined ? undefined : Number(org.enabled),
    slot: org.slot,
    time_zone: org.timeZone,
    date_format: org.dateFormat,
    teams_mode: org.teamsMode,
    recipient: org.recipient,
    sealed_identity: org.sealedIdentity,
    old_identities: org.oldIdentities === undefined ? undefined : JSON.stringify(org.oldIdentities),
    created_at: org.createdAt,
    slots_from: org.slotsFrom,
    expect_from: org.expectFrom,
    limits: org.limits === undefined ? undefined : JSON.stringify(org.limits),
    options: org.options === undefined ? undefined : JSON.stringify(org.options),
    sftp_requested_at: org.sftpRequest === undefined ? undefined : (org.sftpRequest?.at ?? null),
    sftp_requested_by: org.sftpRequest === undefined ? undefined : (org.sftpRequest?.by ?? null),
    erasure_key: org.erasureKey,
  };
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined));
}

export function readOrg(row: OrgRow): Org {
  return {
    id: row.id,
    name: row.name,
    ownerEmail: row.owner_email,
    plan: row.plan,
    enabled: row.enabled === 1,
    slot: row.slot,
    timeZone: row.time_zone,
    dateFormat: row.date_format,
    teamsMode: row.teams_mode,
    recipient: row.recipient,
    sealedIdentity: row.sealed_identity,
    oldIdentities: JSON.parse(row.old_identities),
    createdAt: row.created_at,
    slotsFrom: row.slots_from,
    expectFrom: row.expect_from,
    limits: JSON.parse(row.limits),
    options: JSON.parse(row.options),
    sftpRequest:
      row.sftp_requested_at === null
        ? null
        : { at: row.sftp_requested_at, by: row.sftp_requested_by ?? row.owner_email },
    ...(row.erasure_key !== null && { erasureKey: row.erasure_key }),
  };
}
