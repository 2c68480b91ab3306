/** The state of the installation on one screen: importers, slots, queue, decisions that wait, alarms, disk, backup, keys. */
import { statfs } from 'node:fs/promises';
import { listAlarms } from '../db/control/alarms.js';
import { readClock } from '../db/control/clock.js';
import { listOrgs, type Org } from '../db/control/orgs.js';
import {
  countRuns,
  type ExpiringKey,
  findLastBackup,
  listExpiringKeys,
  measureQueue,
  type QueueState,
} from '../db/control/overview.js';
import { searchRuns } from '../db/control/runs.js';
import { slotDays } from '../importer/schedule/cadence.js';
import { nextSlot } from '../importer/schedule/calendar.js';
import type { Workplace } from './workplace.js';

const dayMs = 86_400_000;
const keyDays = 30;
const shownSlots = 5;
const mostListed = 20;

export interface Status {
  version: string;
  database: 'sqlite' | 'postgres';
  organizations: { all: number; enabled: number };
  /** When the schedule of an importer last ran (ms); null: never. It notes the time at least every few minutes. */
  importerSeenAt: number | null;
  queue: QueueState;
  runs: { open: number; running: number; held: number; failedLastDay: number };
  /** Organizations with a held run, which blocks their next ones until an operator decides. */
  held: { run: number; org: string }[];
  alarms: { org: string; kind: string; subject: string }[];
  /** The next slots of enabled organizations. */
  nextSlots: { org: string; at: number }[];
  disk: { folder: string; freeBytes: number; totalBytes: number; minFreeBytes: number };
  lastBackupAt: number | null;
  /** Keys that expire within 30 days. */
  expiringKeys: ExpiringKey[];
}

/** @param version of this program */
export async function readStatus(workplace: Workplace, version: string): Promise<Status> {
  const { control, settings, now } = workplace;
  const db = control.read;
  const at = now();
  const orgs = await listOrgs(db);
  const enabled = orgs.filter((org) => org.enabled);
  const runs = await countRuns(db, at - dayMs);
  const held = await searchRuns(db, { states: ['held'], limit: mostListed });
  const alarms = await listAlarms(db, { resolved: false, limit: mostListed });
  const { bavail, blocks, bsize } = await statfs(settings.data);
  const { seenAt } = await readClock(db);
  return {
    version,
    database: control.dialect === 'sqlite' ? 'sqlite' : 'postgres',
    organizations: { all: orgs.length, enabled: enabled.length },
    importerSeenAt: seenAt === 0 ? null : seenAt,
    queue: await measureQueue(db),
    runs: {
      open: runs.open ?? 0,
      running: runs.running ?? 0,
      held: runs.held ?? 0,
      failedLastDay: runs.failed ?? 0,
    },
    held: held.map(({ id, org }) => ({ run: id, org })),
    alarms: alarms.map(({ org, kind, subject }) => ({ org, kind, subject })),
    nextSlots: findNextSlots(enabled, at),
    disk: {
      folder: settings.data,
      freeBytes: bavail * bsize,
      totalBytes: blocks * bsize,
      minFreeBytes: settings.minFreeBytes,
    },
    lastBackupAt: await findLastBackup(db),
    expiringKeys: await listExpiringKeys(db, { now: at, before: at + keyDays * dayMs, limit: mostListed }),
  };
}

function findNextSlots(orgs: readonly Org[], at: number): Status['nextSlots'] {
  const slots = orgs.map((org) => ({
    org: org.id,
    at: nextSlot(org.timeZone, org.slot, at, slotDays(org.options)).at,
  }));
  return slots.sort((one, other) => one.at - other.at || (one.org < other.org ? -1 : 1)).slice(0, shownSlots);
}
