/** The state of organizations: their keys, queue, users, teams, alarms and next slot, beside their own settings. */
import { hasSftp } from '../config/settings.js';
import { listOpenAlarms } from '../db/control/alarms.js';
import { listLoginKeys } from '../db/control/keys.js';
import { listOrgs, listOrgsAfter, type Org } from '../db/control/orgs.js';
import {
  countQueues,
  emptyQueue,
  findLastUpload,
  type LastUpload,
  listHeldRuns,
  type QueueCounts,
} from '../db/control/orgstates.js';
import { countUsableKeys } from '../db/control/overview.js';
import { findHeldRun, listImportRuns, type Run } from '../db/control/runs.js';
import { countSessions } from '../db/control/sessions.js';
import { listSources, placeOf, type Source, wordOf } from '../db/control/sources.js';
import { listQueue } from '../db/control/uploads.js';
import { measureUsage } from '../db/control/usage.js';
import { countTeams } from '../db/directory/teams.js';
import { countUsers, type UserCounts } from '../db/directory/users.js';
import { describeDays, isOnUpload, slotDays } from '../importer/schedule/cadence.js';
import { describeAlarm } from '../importer/schedule/expectations.js';
import { jitterOf, nextSlotOf } from '../importer/schedule/jitter.js';
import { limitsOf } from '../storage/storagelimits.js';
import { stateOfKey } from './keyterms.js';
import { listSettings, type SettingValue } from './orgsettings/orgsettings.js';
import { sortStored } from './storedfiles.js';
import type { Workplace } from './workplace.js';

export type { Org } from '../db/control/orgs.js';
export type { QueueCounts } from '../db/control/orgstates.js';

export interface OrgSummary {
  org: Org;
  usableKeys: number;
  queued: number;
}

export async function summarizeOrg({ control, now }: Workplace, org: Org): Promise<OrgSummary> {
  const keys = await listLoginKeys(control.read, org.id);
  const usableKeys = keys.filter((key) => stateOfKey(key, now()) === 'usable').length;
  return { org, usableKeys, queued: (await listQueue(control.read, org.id)).length };
}

export interface OpenAlarm {
  kind: string;
  subject: string;
  openedAt: number;
  /** One sentence for the operator. */
  message: string;
}

export interface SourceSummary {
  kind: 'source' | 'folder';
  id: number;
  /** Where its files come from. */
  place: string;
  state: string;
  lastOkAt: number | null;
  failure: string | null;
  problems: number;
}

function summarizeSource(source: Source): SourceSummary {
  const { id, config, state, lastOkAt, failure, result } = source;
  const kind = wordOf(config.kind);
  return { kind, id, place: placeOf(source), state, lastOkAt, failure, problems: result?.problems.length ?? 0 };
}

/** An organization in a list of all: its queue with the verdicts of early checks, and the run that blocks it. */
export interface OrgState extends OrgSummary {
  queue: QueueCounts;
  /** The run that is held and blocks the next imports until an operator approves or rejects it; null: none is. */
  heldRun: number | null;
  sessions: number;
}

/** Every organization, in the order of their ids. */
export async function listOrgStates(workplace: Workplace, search = ''): Promise<OrgState[]> {
  const needle = search.trim().toLowerCase();
  const isSought = ({ id, name, ownerEmail }: Org) =>
    [id, name, ownerEmail].some((text) => text.toLowerCase().includes(needle));
  return stateOrgs(workplace, (await listOrgs(workplace.control.read)).filter(isSought));
}

/** Those after an id, at most `limit`. */
export async function listSomeOrgStates(workplace: Workplace, after: string, limit: number): Promise<OrgState[]> {
  return stateOrgs(workplace, await listOrgsAfter(workplace.control.read, after, limit));
}

/** Of these organizations, in their order. */
export async function stateOrgs({ control, now }: Workplace, orgs: readonly Org[]): Promise<OrgState[]> {
  const queues = await countQueues(control.read);
  const held = await listHeldRuns(control.read);
  const sessions = await countSessions(control.read, now());
  const ids = orgs.map(({ id }) => id);
  const usable = await countUsableKeys(control.read, ids, now());
  return Promise.all(
    orgs.map(async (org) => {
      const queue = queues.get(org.id) ?? emptyQueue;
      return {
        org,
        usableKeys: usable.get(org.id) ?? 0,
        queued: Object.values(queue).reduce((sum, count) => sum + count, 0),
        queue,
        heldRun: held.get(org.id) ?? null,
        sessions: sessions.get(org.id) ?? 0,
      };
    }),
  );
}

export interface OrgDetails extends OrgSummary {
  /** Queued files by the verdict of their early check. */
  queue: QueueCounts;
  /** The file that it sent last; null: none is known. */
  lastFile: LastUpload | null;
  /** Its last import or undo; null: it had none. */
  lastRun: Run | null;
  /** Stored bytes and files, and how much it may store. */
  stored: { bytes: number; maxBytes: number; files: number; maxFiles: number };
  /** Open sessions of SFTP clients. */
  sessions: number;
  users: UserCounts;
  teams: number;
  /** The run that is held until an operator approves or rejects it; null: none is. */
  heldRun: number | null;
  /** Whether its plan includes SFTP access. */
  hasDoor: boolean;
  /** Stored files that wait for their rename, and stored files that do not look like data. */
  waitingForRename: number;
  notImported: number;
  /** When its files are imported, in words. */
  imports: string;
  nextSlotAt: number;
  alarms: OpenAlarm[];
  /** Of sources and watched folders. */
  sources: SourceSummary[];
  settings: SettingValue[];
}

export async function detailOrg(workplace: Workplace, org: Org): Promise<OrgDetails> {
  const { control, directory, settings, now } = workplace;
  const alarms = (await listOpenAlarms(control.read, org.id)).map(({ kind, subject, openedAt, detail }) => {
    return { kind, subject, openedAt, message: describeAlarm({ kind, subject, detail }, org.timeZone) };
  });
  const { unfinished, others } = await sortStored(workplace, org);
  return {
    ...(await summarizeOrg(workplace, org)),
    queue: (await countQueues(control.read, org.id)).get(org.id) ?? emptyQueue,
    lastFile: await findLastUpload(control.read, org.id),
    lastRun: (await listImportRuns(control.read, org.id, 1))[0] ?? null,
    stored: await measureStored(workplace, org),
    sessions: (await countSessions(control.read, now(), org.id)).get(org.id) ?? 0,
    waitingForRename: unfinished.length,
    notImported: others.length,
    users: await countUsers(directory.read, org.id),
    teams: await countTeams(directory.read, org.id),
    heldRun: (await findHeldRun(control.read, org.id))?.id ?? null,
    hasDoor: hasSftp(settings, org.plan),
    imports: describeImports(org),
    nextSlotAt: findNextSlot(workplace, org),
    alarms,
    sources: (await listSources(control.read, { org: org.id })).map(summarizeSource),
    settings: listSettings(org, settings),
  };
}

async function measureStored({ control, settings }: Workplace, org: Org): Promise<OrgDetails['stored']> {
  const { bytes, entries } = await measureUsage(control.read, org.id);
  const { maxStoredBytes, maxFiles } = limitsOf(org, settings);
  return { bytes, maxBytes: maxStoredBytes, files: entries, maxFiles };
}

/** When the files of an organization are imported next, in ms. */
export function findNextSlot({ now, settings }: Pick<Workplace, 'now' | 'settings'>, org: Org): number {
  return nextSlotOf(org, now(), jitterOf(org, settings.slotJitterMinutes));
}

function describeImports({ slot, timeZone, options }: Org): string {
  const times = `${slot.replaceAll(',', ', ')} (${timeZone})`;
  if (!isOnUpload(options)) return `${describeDays(slotDays(options))} at ${times}`;
  return `each file as soon as it has been uploaded; at ${times} the files for which that was not possible`;
}
