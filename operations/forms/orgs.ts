/** Organizations and their settings as JSON. The command line and the API give the same. */
import { isoTime } from '../format.js';
import type { Org, OrgDetails, OrgState, QueueCounts } from '../orgdetails.js';
import type { SettingValue } from '../orgsettings/orgsettings.js';
import type { Welcome } from '../welcome.js';
import { runToJson } from './runs.js';

export function orgToJson(org: Org) {
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

export function orgStateToJson({ org, usableKeys, queued, queue, heldRun, sessions }: OrgState) {
  return { ...orgToJson(org), usableKeys, sessions, queued, checks: checksToJson(queue), heldRun };
}

/** @param all with every setting */
export function orgDetailsToJson(
  { org, imports: _imports, nextSlotAt, alarms, sources, settings, queue, lastFile, lastRun, ...counts }: OrgDetails,
  all = false,
) {
  const shown = alarms.map(({ kind, subject, openedAt, message }) => ({
    kind,
    subject,
    openedAt: isoTime(openedAt),
    message,
  }));
  const doors = sources.map(({ lastOkAt, ...source }) => ({ ...source, lastOkAt: isoTime(lastOkAt) }));
  const values = all ? { settings: settingValuesToJson(settings) } : {};
  const last = {
    lastFile: lastFile === null ? null : { ...lastFile, closedAt: isoTime(lastFile.closedAt) },
    lastRun: lastRun === null ? null : runToJson(lastRun),
  };
  return {
    ...orgToJson(org),
    ...counts,
    checks: checksToJson(queue),
    ...last,
    nextSlotAt: isoTime(nextSlotAt),
    alarms: shown,
    sources: doors,
    ...values,
  };
}

function checksToJson({ would_import, would_hold, would_refuse, unchecked }: QueueCounts): Record<string, number> {
  return { wouldImport: would_import, wouldHold: would_hold, wouldRefuse: would_refuse, unchecked };
}

/** The settings by name as text, each with whether it is the default. */
export function settingValuesToJson(values: readonly SettingValue[]): Record<string, unknown> {
  return Object.fromEntries(
    values.map(({ setting, text, isDefault }) => [setting.name, { value: text, default: isDefault }]),
  );
}

export function welcomeToJson({ org, address, hostKeys, contact, nextSlotAt, text }: Welcome) {
  return {
    org: org.id,
    ...address,
    user: org.id,
    hostKeys: hostKeys.map(({ type, state, fingerprint, knownHosts }) => ({ type, state, fingerprint, knownHosts })),
    contact,
    nextSlotAt: isoTime(nextSlotAt),
    text,
  };
}
