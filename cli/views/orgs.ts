/** Organizations as `orgs list` and `orgs show` print them, for people and as JSON. */
import { hasSftp } from '../../config/settings.js';
import { type Alarm, listOpenAlarms } from '../../db/control/alarms.js';
import { listLoginKeys } from '../../db/control/keys.js';
import type { Org } from '../../db/control/orgs.js';
import { findHeldRun } from '../../db/control/runs.js';
import { listQueue } from '../../db/control/uploads.js';
import { countTeams } from '../../db/directory/teams.js';
import { countUsers, type UserCounts } from '../../db/directory/users.js';
import { describeDays, isOnUpload, slotDays } from '../../importer/schedule/cadence.js';
import { nextSlot } from '../../importer/schedule/calendar.js';
import { describeAlarm } from '../../importer/schedule/expectations.js';
import { formatTime, isoTime } from '../../operations/format.js';
import { stateOfKey } from '../../operations/keyterms.js';
import { listSettings, type SettingValue } from '../../operations/orgsettings.js';
import type { Workplace } from '../../operations/workplace.js';
import { type ListView, renderRecord } from '../output.js';
import { renderSettingValues, settingValuesToJson } from './orgsettings.js';

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
  /** The run that is held until an operator approves or rejects it; null: none is. */
  heldRun: number | null;
  /** Whether its plan includes SFTP access. */
  hasDoor: boolean;
  nextSlotAt: number;
  /** Open alarms. */
  alarms: Alarm[];
  settings: SettingValue[];
}

export async function detailOrg(place: Workplace, org: Org): Promise<OrgDetails> {
  const users = await countUsers(place.directory.read, org.id);
  const teams = await countTeams(place.directory.read, org.id);
  const heldRun = (await findHeldRun(place.control.read, org.id))?.id ?? null;
  const alarms = await listOpenAlarms(place.control.read, org.id);
  const nextSlotAt = nextSlot(org.timeZone, org.slot, place.now(), slotDays(org.options)).at;
  const hasDoor = hasSftp(place.settings, org.plan);
  const settings = listSettings(org, place.settings);
  return { ...(await summarizeOrg(place, org)), users, teams, heldRun, hasDoor, nextSlotAt, alarms, settings };
}

/** The state of an organization, then its settings: those that differ from their default, or all of them. */
export function renderOrg(details: OrgDetails, all = false): string {
  const hint = all ? [] : [`\nAll settings, with their defaults: dropslot orgs show ${details.org.id} --all`];
  return [renderState(details), `\n${renderSettingValues(details.settings, all)}`, ...hint].join('\n');
}

function renderState({ org, alarms, hasDoor, nextSlotAt, usableKeys, queued, users, teams, heldRun }: OrgDetails) {
  const { sftpRequest } = org;
  return renderRecord([
    ['Organization', org.id],
    ['State', org.enabled ? 'enabled' : 'disabled'],
    ['SFTP access', hasDoor ? null : `the plan ${org.plan} does not include it, so the organization cannot log in`],
    ['SFTP requested', sftpRequest === null ? null : `${formatTime(sftpRequest.at)} by ${sftpRequest.by}`],
    ['Imports', describeImports(org)],
    ['Next slot', org.enabled ? formatTime(nextSlotAt) : null],
    ['Recipient', org.recipient],
    ['Identity', identityState(org)],
    ['Added', formatTime(org.createdAt)],
    ['Usable keys', String(usableKeys)],
    ['Queued files', String(queued)],
    ['Held run', heldRun === null ? null : `${heldRun}: see "dropslot runs show ${heldRun} --changes"`],
    ...alarms.map((alarm): [string, string] => ['Alarm', describeAlarm(alarm, org.timeZone)]),
    ['Users', `${users.active} active (admins: ${users.admins}), ${users.deactivated} deactivated`],
    ['Teams', String(teams)],
  ]);
}

function describeImports({ slot, timeZone, options }: Org): string {
  const times = `${slot.replaceAll(',', ', ')} (${timeZone})`;
  if (!isOnUpload(options)) return `${describeDays(slotDays(options))} at ${times}`;
  return `each file as soon as it has been uploaded; at ${times} the files for which that was not possible`;
}

export function orgDetailsToJson(
  { org, nextSlotAt, alarms, settings, ...counts }: OrgDetails,
  all = false,
): Record<string, unknown> {
  const told = alarms.map(({ kind, subject, openedAt, detail }) => ({
    kind,
    subject,
    openedAt: isoTime(openedAt),
    message: describeAlarm({ kind, subject, detail }, org.timeZone),
  }));
  const values = all ? { settings: settingValuesToJson(settings) } : {};
  return { ...orgToJson(org), ...counts, nextSlotAt: isoTime(nextSlotAt), alarms: told, ...values };
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
  if (sealedIdentity === null) return 'destroyed: its stored files can no longer be opened';
  return oldIdentities.length > 0 ? `rotation in progress; to continue it: dropslot identity rotate ${id}` : null;
}
