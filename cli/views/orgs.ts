/** Organizations as `orgs list` and `orgs show` print them, for people and as JSON. */
import { formatTime, isoTime } from '../../operations/format.js';
import type { Org, OrgDetails, OrgSummary } from '../../operations/orgdetails.js';
import { type ListView, renderRecord } from '../output.js';
import { renderSettingValues, settingValuesToJson } from './orgsettings.js';

export const orgList: ListView<OrgSummary> = {
  columns: [
    { title: 'ORGANIZATION', cell: ({ org }) => org.id, whole: true },
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

/** The state of an organization, then its settings: those that differ from their default, or all of them. */
export function renderOrg(details: OrgDetails, all = false): string {
  const hint = all ? [] : [`\nAll settings, with their defaults: dropslot orgs show ${details.org.id} --all`];
  return [renderState(details), `\n${renderSettingValues(details.settings, all)}`, ...hint].join('\n');
}

function renderState({
  org,
  alarms,
  sources,
  hasDoor,
  imports,
  nextSlotAt,
  usableKeys,
  queued,
  waitingForRename,
  notImported,
  users,
  teams,
  heldRun,
}: OrgDetails) {
  const { sftpRequest } = org;
  return renderRecord([
    ['Organization', org.id],
    ['State', org.enabled ? 'enabled' : 'disabled'],
    ['SFTP access', hasDoor ? null : `the plan ${org.plan} does not include it, so the organization cannot log in`],
    ['SFTP requested', sftpRequest === null ? null : `${formatTime(sftpRequest.at)} by ${sftpRequest.by}`],
    ['Imports', imports],
    ['Next slot', org.enabled ? formatTime(nextSlotAt) : null],
    ['Recipient', org.recipient],
    ['Identity', identityState(org)],
    ['Added', formatTime(org.createdAt)],
    ['Usable keys', String(usableKeys)],
    ['Queued files', String(queued)],
    [
      'Waiting for a rename',
      waitingForRename === 0
        ? null
        : `${countFiles(waitingForRename)} with a temporary name: see "dropslot queue ${org.id}"`,
    ],
    [
      'Not imported',
      notImported === 0
        ? null
        : `${countFiles(notImported)} whose names do not look like data files: see "dropslot queue ${org.id}"`,
    ],
    ['Held run', heldRun === null ? null : `${heldRun}: see "dropslot runs show ${heldRun} --changes"`],
    ...alarms.map(({ message }): [string, string] => ['Alarm', message]),
    ...sources.map((source): [string, string] => [
      `${source.kind === 'source' ? 'Source' : 'Folder'} ${source.id}`,
      describeSource(source),
    ]),
    ['Users', `${users.active} active (admins: ${users.admins}), ${users.deactivated} deactivated`],
    ['Teams', String(teams)],
  ]);
}

function describeSource({ place, state, lastOkAt, failure, problems }: OrgDetails['sources'][number]): string {
  const last = lastOkAt === null ? 'no round has succeeded yet' : `last success ${formatTime(lastOkAt)}`;
  const parts = [place, state === 'active' ? last : `${state.replaceAll('_', ' ')}, ${last}`];
  if (problems > 0) parts.push(`${problems} ${problems === 1 ? 'problem' : 'problems'} with single files`);
  return `${parts.join('; ')}${failure === null ? '' : `; ${failure}`}`;
}

function countFiles(count: number): string {
  return `${count} ${count === 1 ? 'file' : 'files'}`;
}

export function orgDetailsToJson(
  { org, imports: _imports, nextSlotAt, alarms, sources, settings, ...counts }: OrgDetails,
  all = false,
): Record<string, unknown> {
  const shown = alarms.map(({ kind, subject, openedAt, message }) => ({
    kind,
    subject,
    openedAt: isoTime(openedAt),
    message,
  }));
  const doors = sources.map(({ lastOkAt, ...source }) => ({ ...source, lastOkAt: isoTime(lastOkAt) }));
  const values = all ? { settings: settingValuesToJson(settings) } : {};
  return { ...orgToJson(org), ...counts, nextSlotAt: isoTime(nextSlotAt), alarms: shown, sources: doors, ...values };
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
