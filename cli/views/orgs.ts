/** How organizations look to people and to programs. */
import { hasSftp } from '../../config/settings.js';
import { type Alarm, listOpenAlarms } from '../../db/control/alarms.js';
import { listLoginKeys } from '../../db/control/keys.js';
import { limitNames, type Org } from '../../db/control/orgs.js';
import { findHeldRun } from '../../db/control/runs.js';
import { listQueue } from '../../db/control/uploads.js';
import { countTeams } from '../../db/directory/teams.js';
import { countUsers, type UserCounts } from '../../db/directory/users.js';
import { describeDays, isOnUpload, slotDays } from '../../importer/schedule/cadence.js';
import { nextSlot } from '../../importer/schedule/calendar.js';
import { describeAlarm } from '../../importer/schedule/expectations.js';
import { formatTime, isoTime } from '../../operations/format.js';
import { stateOfKey } from '../../operations/keyterms.js';
import { describeLimit } from '../../operations/orglimits.js';
import { describeOptions } from '../../operations/orgoptions.js';
import type { Workplace } from '../../operations/workplace.js';
import { type ListView, renderRecord } from '../output.js';

export interface OrgSummary {
  org: Org;
  usableKeys: number;
  queued: number;
}

export async function summarizeOrg(place: Workplace, org: Org): Promise<OrgSummary> {
  const keys = await listLoginKeys(place.control.read, org.id);
  const usableKeys = keys.filter((key) => stateOfKey(key, place.now()) === 'usable').length;
  return { org, usableKeys, queued: (await listQueue(place.control.read, org.id)).length };
}

export const orgList: ListView<OrgSummary> = {
  columns: [
    { title: 'ORGANIZATION', cell: ({ org }) => org.id },
    { title: 'NAME', cell: ({ org }) => org.name },
    { title: 'STATE', cell: ({ org }) => (org.enabled ? 'enabled' : 'disabled') },
    { title: 'SLOT', cell: ({ org }) => `${org.slot} ${org.timeZone}` },
    { title: 'KEYS', cell: ({ usableKeys }) => String(usableKeys), align: 'right' },
    { title: 'QUEUED', cell: ({ queued }) => String(queued), align: 'right' },
    { title: 'OWNER', cell: ({ org }) => org.ownerEmail },
  ],
  empty: 'No organizations yet: add one with "dropslot orgs add".',
  toJson: ({ org, usableKeys, queued }) => ({ ...orgToJson(org), usableKeys, queued }),
};

export interface OrgDetails extends OrgSummary {
  users: UserCounts;
  teams: number;
  /** The run that waits for an operator's word; null: none does. */
  heldRun: number | null;
  /** Whether its plan includes the SFTP door. */
  hasDoor: boolean;
  nextSlotAt: number;
  /** Those that are not over. */
  alarms: Alarm[];
}

export async function detailOrg(place: Workplace, org: Org): Promise<OrgDetails> {
  const users = await countUsers(place.directory.read, org.id);
  const teams = await countTeams(place.directory.read, org.id);
  const heldRun = (await findHeldRun(place.control.read, org.id))?.id ?? null;
  const alarms = await listOpenAlarms(place.control.read, org.id);
  const nextSlotAt = nextSlot(org.timeZone, org.slot, place.now(), slotDays(org.options)).at;
  const hasDoor = hasSftp(place.settings, org.plan);
  return { ...(await summarizeOrg(place, org)), users, teams, heldRun, hasDoor, nextSlotAt, alarms };
}

export function renderOrg({
  org,
  alarms,
  hasDoor,
  nextSlotAt,
  usableKeys,
  queued,
  users,
  teams,
  heldRun,
}: OrgDetails): string {
  return renderRecord([
    ['Organization', org.id],
    ['Name', org.name],
    ['Owner', org.ownerEmail],
    ['State', org.enabled ? 'enabled' : 'disabled'],
    ['Plan', hasDoor ? org.plan : `${org.plan}: no SFTP door, nobody logs in`],
    ['SFTP asked for', org.sftpRequest === null ? null : `${formatTime(org.sftpRequest.at)} by ${org.sftpRequest.by}`],
    ['Slot', `${org.slot.replaceAll(',', ', ')} ${org.timeZone}, ${describeDays(slotDays(org.options))}`],
    [
      'Imported',
      isOnUpload(org.options) ? 'as soon as a file is there; at the slot, what could not be imported then' : null,
    ],
    ['Next slot', org.enabled ? formatTime(nextSlotAt) : null],
    ['Date format', org.dateFormat],
    ['Teams', org.teamsMode === 'add' ? 'a file adds memberships' : 'a file replaces memberships'],
    ['Recipient', org.recipient],
    ['Identity', identityState(org)],
    ['Added', formatTime(org.createdAt)],
    ['Usable keys', String(usableKeys)],
    ['Queued files', String(queued)],
    ['Held run', heldRun === null ? null : `${heldRun}: see "dropslot runs show ${heldRun} --changes"`],
    ...alarms.map((alarm): [string, string] => ['Alarm', describeAlarm(alarm, org.timeZone)]),
    ['Users', `${users.active} active (${users.admins} admins), ${users.deactivated} deactivated`],
    ['Known teams', String(teams)],
    ...limitNames.map((name): [string, string | null] => [name, describeLimit(name, org.limits[name])]),
    ...Object.entries(describeOptions(org.options)),
  ]);
}

export function orgDetailsToJson({ org, nextSlotAt, alarms, ...counts }: OrgDetails): Record<string, unknown> {
  const told = alarms.map(({ kind, subject, openedAt, detail }) => ({
    kind,
    subject,
    openedAt: isoTime(openedAt),
    message: describeAlarm({ kind, subject, detail }, org.timeZone),
  }));
  return { ...orgToJson(org), ...counts, nextSlotAt: isoTime(nextSlotAt), alarms: told };
}

export function orgToJson(org: Org): Record<string, unknown> {
  const {
    sealedIdentity,
    oldIdentities,
    createdAt,
    slotsFrom,
    expectFrom,
    teamsMode,
    ownerEmail,
    sftpRequest,
    ...plain
  } = org;
  return {
    ...plain,
    owner: ownerEmail,
    teamsMode,
    hasIdentity: sealedIdentity !== null,
    createdAt: isoTime(createdAt),
    slotsFrom: isoTime(slotsFrom),
    sftpRequest: sftpRequest === null ? null : { at: isoTime(sftpRequest.at), by: sftpRequest.by },
  };
}

function identityState({ id, sealedIdentity, oldIdentities }: Org): string | null {
  if (sealedIdentity === null) return 'destroyed: nothing opens its files';
  return oldIdentities.length > 0 ? `being rotated: dropslot identity rotate ${id}` : null;
}
