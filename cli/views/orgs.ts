/** Organizations as `orgs list` and `orgs show` print them, for people and as JSON. */
import { formatBytes, formatTime } from '../../operations/format.js';
import { orgStateToJson } from '../../operations/forms/orgs.js';
import type { Org, OrgDetails, OrgState, QueueCounts } from '../../operations/orgdetails.js';
import { describeOutcome } from '../../operations/runsummary.js';
import { type ListView, renderRecord } from '../output.js';
import { renderSettingValues } from './orgsettings.js';

export const orgList: ListView<OrgState> = {
  columns: [
    { title: 'ORGANIZATION', cell: ({ org }) => org.id, whole: true },
    { title: 'NAME', cell: ({ org }) => org.name },
    { title: 'STATE', cell: ({ org }) => (org.enabled ? 'enabled' : 'disabled') },
    { title: 'SLOT', cell: ({ org }) => `${org.slot} ${org.timeZone}` },
    { title: 'KEYS', cell: ({ usableKeys }) => String(usableKeys), align: 'right' },
    { title: 'SESSIONS', cell: ({ sessions }) => String(sessions), align: 'right' },
    { title: 'QUEUED', cell: ({ queued }) => String(queued), align: 'right' },
    { title: 'NEXT IMPORT', cell: describeOutlook },
    { title: 'OWNER', cell: ({ org }) => org.ownerEmail },
  ],
  empty: 'No organizations yet: add one with "dropslot orgs add".',
  toJson: orgStateToJson,
};

/** A held run comes before the files that are queued behind it. */
function describeOutlook({ heldRun, queue }: OrgState): string {
  if (heldRun !== null) return `blocked: run ${heldRun} is held`;
  return describeChecks(queue) ?? '–';
}

/** The verdicts of the early check on queued files; null: no file is queued. */
function describeChecks({ would_import, would_hold, would_refuse, unchecked }: QueueCounts): string | null {
  const parts: [number, string][] = [
    [would_refuse, 'would be refused'],
    [would_hold, 'would be held'],
    [would_import, 'would be imported'],
    [unchecked, 'not checked'],
  ];
  const texts = parts.filter(([count]) => count > 0).map(([count, text]) => `${count} ${text}`);
  return texts.length === 0 ? null : texts.join(', ');
}

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
  queue,
  lastFile,
  lastRun,
  stored,
  sessions,
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
    ['Open sessions', String(sessions)],
    ['Last file', lastFile === null ? 'none' : describeFile(lastFile)],
    ['Last run', lastRun === null ? 'none' : describeRun(lastRun)],
    ['Stored', describeStored(stored)],
    ['Queued files', queued === 0 ? '0' : `${queued}: ${describeChecks(queue)}`],
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
    [
      'Held run',
      heldRun === null
        ? null
        : `${heldRun}, which blocks the next imports: see "dropslot runs show ${heldRun} --changes"`,
    ],
    ...alarms.map(({ message }): [string, string] => ['Alarm', message]),
    ...sources.map((source): [string, string] => [
      `${source.kind === 'source' ? 'Source' : 'Folder'} ${source.id}`,
      describeSource(source),
    ]),
    ['Users', `${users.active} active (admins: ${users.admins}), ${users.deactivated} deactivated`],
    ['Teams', String(teams)],
  ]);
}

function describeFile({ path, size, state, closedAt }: NonNullable<OrgDetails['lastFile']>): string {
  return `${path} (${formatBytes(size)}), ${formatTime(closedAt)}: ${state}`;
}

/** Its state and result, as `runs list` shows them. */
function describeRun(run: NonNullable<OrgDetails['lastRun']>): string {
  const users = describeOutcome(run, 'users');
  const teams = describeOutcome(run, 'teams');
  const result = [users === null ? null : `users: ${users}`, teams === null ? null : `teams: ${teams}`, run.failure];
  const at = formatTime(run.finishedAt ?? run.startedAt ?? run.openedAt);
  return [`${run.id} (${run.kind}), ${at}: ${run.state}`, ...result.filter((part) => part !== null)].join('; ');
}

function describeStored({ bytes, maxBytes, files, maxFiles }: OrgDetails['stored']): string {
  const share = maxBytes === 0 ? '' : ` (${Math.round((bytes / maxBytes) * 100)} %)`;
  return `${formatBytes(bytes)} of ${formatBytes(maxBytes)}${share}, ${files} of ${maxFiles} files and folders`;
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

function identityState({ id, sealedIdentity, oldIdentities }: Org): string | null {
  if (sealedIdentity === null) return 'destroyed: its stored files can no longer be opened';
  return oldIdentities.length > 0 ? `rotation in progress; to continue it: dropslot identity rotate ${id}` : null;
}
