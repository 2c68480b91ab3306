/** The state of the installation on one screen: importers, slots, queue, decisions that wait, alarms, disk, backup, keys. */
import { statfs } from 'node:fs/promises';
import { countOpenAlarms } from '../db/control/alarms.js';
import { type BackupScheduleState, overdueMs, readBackupSchedule } from '../db/control/backupschedule.js';
import { readClock } from '../db/control/clock.js';
import { listOrgHeads, type OrgHead } from '../db/control/orgs.js';
import {
  countExpiringKeys,
  countOrgs,
  countRuns,
  type ExpiringKey,
  findLastBackup,
  listExpiringKeys,
  measureQueue,
  type QueueState,
} from '../db/control/overview.js';
import { searchRuns } from '../db/control/runs.js';
import { type ListedWorker, listWorkers } from '../db/control/workers.js';
import { type CommitWait, readCommitWait } from '../db/postgres/replication.js';
import { findWriteFault } from '../db/postgres/writable.js';
import { nextSlotOf } from '../importer/schedule/jitter.js';
import { shareSlots } from '../importer/schedule/slots.js';
import { listAlarmsOf } from './alarms.js';
import type { Workplace } from './workplace.js';

const dayMs = 86_400_000;
const keyDays = 30;
const shownSlots = 5;
/** Held runs, alarms and keys. */
const mostListed = 20;

/** Numbers that a monitor reads every few seconds. */
export interface Counts {
  organizations: { all: number; enabled: number };
  /** When the schedule of an importer last ran (ms); null: never. It notes the time at least every few minutes. */
  importerSeenAt: number | null;
  queue: QueueState;
  runs: { open: number; running: number; held: number; failedLastDay: number };
  disk: { folder: string; freeBytes: number; totalBytes: number; minFreeBytes: number };
  lastBackupAt: number | null;
}

export interface Status extends Counts {
  version: string;
  database: 'sqlite' | 'postgres';
  /** The object store of the sealed files; null: they are in the data folder. */
  store: StoreState | null;
  /** Commits that wait for a standby of PostgreSQL, which stops all uploads; null: none does. */
  commitWait: CommitWait | null;
  /** Why PostgreSQL takes no writes, in a sentence; null: it does. */
  writeFault: string | null;
  /** The processes for connections; empty: each server speaks SSH itself, or none runs. */
  workers: ListedWorker[];
  /** Organizations with a held run, which blocks their next ones until an operator decides. */
  held: { run: number; org: string }[];
  /** `message`: one sentence for the operator. */
  alarms: { org: string; kind: string; subject: string; message: string }[];
  /** All of them: `alarms` has the newest ones, and `held` as well. */
  openAlarms: number;
  /** The next slots of enabled organizations. */
  nextSlots: { org: string; at: number }[];
  /** No backup was made for longer than the settings allow. */
  isBackupOverdue: boolean;
  /** null: the settings want no scheduled backups. */
  scheduledBackups: ScheduledBackups | null;
  /** Keys that expire within 30 days; `expiringKeys` has those that expire first. */
  allExpiringKeys: number;
  expiringKeys: Omit<ExpiringKey, 'label'>[];
}

export interface StoreState {
  /** `s3://bucket/prefix` */
  name: string;
  /** Why it can't be used now; null: an object was just written and read. */
  fault: string | null;
}

export interface ScheduledBackups extends BackupScheduleState {
  /** The setting `backupTo`. */
  to: string;
  keep: number;
  /** When the next one is due (ms); null: now. */
  nextAt: number | null;
}

/** @param version of this program */
export async function readStatus(workplace: Workplace, version: string): Promise<Status> {
  const { control, now } = workplace;
  const db = control.read;
  const at = now();
  const orgs = await listOrgHeads(db);
  const held = await searchRuns(db, { states: ['held'], limit: mostListed });
  const alarms = await listAlarmsOf(workplace, { resolved: false, limit: mostListed });
  const soon = { now: at, before: at + keyDays * dayMs };
  const keys = await listExpiringKeys(db, { ...soon, limit: mostListed });
  const counts = await readCounts(workplace);
  const mostMs = overdueMs(workplace.settings);
  return {
    version,
    database: control.dialect === 'sqlite' ? 'sqlite' : 'postgres',
    store: await readStore(workplace),
    commitWait: await readCommitWait(db),
    writeFault: await findWriteFault(db),
    ...counts,
    workers: await listWorkers(db, at),
    held: held.map(({ id, org }) => ({ run: id, org })),
    alarms: alarms.map(({ org, kind, subject, message }) => ({ org, kind, subject, message })),
    openAlarms: sum((await countOpenAlarms(db)).values()),
    nextSlots: findNextSlots(orgs, at, workplace.settings.slotJitterMinutes),
    isBackupOverdue: mostMs !== null && counts.lastBackupAt !== null && at - counts.lastBackupAt >= mostMs,
    scheduledBackups: await readSchedule(workplace),
    allExpiringKeys: sum((await countExpiringKeys(db, soon)).values()),
    expiringKeys: keys.map(({ org, fingerprint, expiresAt }) => ({ org, fingerprint, expiresAt })),
  };
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((all, one) => all + one, 0);
}

export async function readCounts({ control, settings, now }: Workplace): Promise<Counts> {
  const db = control.read;
  const runs = await countRuns(db, now() - dayMs);
  const { bavail, blocks, bsize } = await statfs(settings.data);
  const { seenAt } = await readClock(db);
  return {
    organizations: await countOrgs(db),
    importerSeenAt: seenAt === 0 ? null : seenAt,
    queue: await measureQueue(db),
    runs: {
      open: runs.open ?? 0,
      running: runs.running ?? 0,
      held: runs.held ?? 0,
      failedLastDay: runs.failed ?? 0,
    },
    disk: {
      folder: settings.data,
      freeBytes: bavail * bsize,
      totalBytes: blocks * bsize,
      minFreeBytes: settings.minFreeBytes,
    },
    lastBackupAt: await findLastBackup(db),
  };
}

async function readStore({ paths: { store } }: Workplace): Promise<StoreState | null> {
  if (store === undefined) return null;
  const fault = await store.probe().then(
    () => null,
    (error: Error) => error.message,
  );
  return { name: store.name, fault };
}

async function readSchedule({ control, settings, now }: Workplace): Promise<ScheduledBackups | null> {
  const { backupTo: to, backupEvery, backupKeep: keep } = settings;
  if (to === undefined) return null;
  const state = await readBackupSchedule(control.read);
  const nextAt = state.begunAt === null ? 0 : state.begunAt + backupEvery * 3_600_000;
  return { ...state, to, keep, nextAt: nextAt <= now() ? null : nextAt };
}

/** The next slots of enabled organizations, the first ones first. */
function findNextSlots(orgs: readonly OrgHead[], at: number, jitterMinutes: number): Status['nextSlots'] {
  const beginOf = shareSlots((org, jitterMs) => nextSlotOf(org, at, jitterMs), jitterMinutes);
  const slots = orgs.filter(({ enabled }) => enabled).map((org) => ({ org: org.id, at: beginOf(org) }));
  return sortSlots(slots).slice(0, shownSlots);
}

/** The first ones first. */
export function sortSlots<S extends { org: string; at: number }>(slots: readonly S[]): S[] {
  return [...slots].sort((one, other) => one.at - other.at || (one.org < other.org ? -1 : 1));
}
