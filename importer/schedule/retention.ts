/**
 * Removes expired files: archived and superseded files, reports, partial uploads that no client resumed, and orphaned blobs
 * that crashes left. It deletes names first, in small transactions, and then bytes: a crash in between leaves bytes without
 * a name, which the next pass finds as orphans. The other order would leave names without their bytes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../config/logger.js';
import type { Paths } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import { isBlobLive } from '../../db/control/blobs.js';
import { forgetExpiredDownloads } from '../../db/control/downloads.js';
import { deletePartial, listExpiredPartials } from '../../db/control/partials.js';
import {
  type Cutoffs,
  deleteEmptyFolders,
  deleteExpiredFiles,
  listExpiredFiles,
  listUnfinishedRuns,
} from '../../db/control/retention.js';
import type { Settlement } from '../../db/control/settle.js';
import { removeBlob } from '../../storage/blobs.js';
import { sweepOrphans } from '../../storage/orphans.js';
import { removePartials } from '../../storage/partials.js';
import { findApplied } from '../run/apply.js';
import type { Clock } from './clock.js';
import { type Rounds, startRounds } from './periodic.js';

export interface RetentionDeps {
  control: Db;
  directory: Db;
  paths: Pick<Paths, 'blobs' | 'partials'>;
  settings: Pick<Settings, 'keepArchiveDays' | 'keepReportDays' | 'keepSupersededDays' | 'keepPartialHours'>;
  logger: Logger;
  now: () => number;
  /** Without it the clock is trusted always. */
  clock?: Clock;
  /** Called after each step that a crash can separate from the next: for tests that kill the process there. */
  onStep?: (step: RetentionStep) => void;
}

export type RetentionStep = 'partials forgotten' | 'partials removed' | 'names removed' | 'bytes removed' | 'swept';

export interface Removed {
  partials: number;
  files: number;
  folders: number;
  orphans: number;
}

const hourMs = 60 * 60 * 1000;
/** How often it looks whether the clock can be trusted again. */
const untrustedMs = 60_000;
const dayMs = 24 * hourMs;
/** An export that a mail announced is kept for this time. */
export const mailedExportMs = dayMs;
/** Rows of one transaction: so few that no CLOSE waits for it noticeably. */
const batchRows = 100;
/** A blob without a row is an orphan after this time: its commit follows its move within seconds. */
const orphanMs = dayMs;
/** Between the two looks at a blob without a row: no commit takes this long. */
const commitMs = 5 * 60_000;
/** An upload in progress counts as cut off after this time, whatever the settings: its server would have ended it. */
const openMs = 2 * dayMs;

/** Removes expired partials and mailed exports every hour, and all other expired files at the start and once a day. */
export function startRetention(deps: RetentionDeps): Rounds {
  let turn = 0;
  return startRounds(async (isStopping) => {
    if (deps.clock?.mayDecide() === false) return untrustedMs;
    try {
      const partials = await removeExpiredPartials(deps);
      const exports = await removeMailedExports(deps, isStopping);
      const rest = turn % 24 === 0 ? await removeExpired(deps, isStopping, () => restFor(commitMs, isStopping)) : {};
      const removed = { partials, exports, ...rest };
      if (Object.values(removed).some((count) => count > 0)) deps.logger.info('removed expired files', removed);
    } catch (error) {
      deps.logger.error('could not remove expired files; will retry in 1 h', { reason: (error as Error).message });
    }
    turn++;
    return hourMs;
  });
}

/** Everything but partials. `rest`: as of sweepOrphans. */
export async function removeExpired(
  deps: RetentionDeps,
  isStopping: () => boolean = () => false,
  rest?: () => Promise<boolean>,
): Promise<Omit<Removed, 'partials'>> {
  const { control, now } = deps;
  const files = await removeExpiredFiles(deps, isStopping);
  const folders = await control.transact((tx) => deleteEmptyFolders(tx, now() - dayMs));
  const orphans = isStopping() ? 0 : await removeOrphans(deps, rest);
  return { files, folders, orphans };
}

/** Uploads that were cut off and not resumed in time. */
export async function removeExpiredPartials({ control, paths, settings, now, onStep }: RetentionDeps): Promise<number> {
  const before = { kept: now() - settings.keepPartialHours * hourMs, open: now() - openMs };
  for (let removed = 0; ; ) {
    const partials = await listExpiredPartials(control.read, before, batchRows);
    for (const { id } of partials) await deletePartial(control.write, id);
    onStep?.('partials forgotten');
    const kept = partials.filter(({ state }) => state === 'kept').map(({ id }) => id);
    // A partial that is still being written keeps its file: its upload is published without this row.
    await removePartials({ control, paths }, kept);
    onStep?.('partials removed');
    removed += partials.length;
    if (partials.length < batchRows) return removed;
  }
}

/** Exports that a mail announced a day ago, and the links to them. */
export async function removeMailedExports(
  deps: RetentionDeps,
  isStopping: () => boolean = () => false,
): Promise<number> {
  await forgetExpiredDownloads(deps.control.write, deps.now());
  const mailed = deps.now() - mailedExportMs;
  return removeFiles(deps, { archived: null, superseded: null, reports: null, mailed }, isStopping);
}

function removeExpiredFiles(deps: RetentionDeps, isStopping: () => boolean): Promise<number> {
  const { settings, now } = deps;
  const cutoffOf = (days: number) => (days === 0 ? null : now() - days * dayMs);
  const cutoffs: Cutoffs = {
    archived: cutoffOf(settings.keepArchiveDays),
    superseded: cutoffOf(settings.keepSupersededDays),
    reports: cutoffOf(settings.keepReportDays),
  };
  return removeFiles(deps, cutoffs, isStopping);
}

async function removeFiles(deps: RetentionDeps, cutoffs: Cutoffs, isStopping: () => boolean): Promise<number> {
  const { control, paths, now, onStep } = deps;
  for (let removed = 0; ; ) {
    const expired = isStopping() ? [] : await listExpiredFiles(control.read, cutoffs, batchRows);
    if (expired.length === 0) return removed;
    const gone = await control.transact(async (tx) => {
      const files = await deleteExpiredFiles(tx, expired);
      const { org } = expired[0]!;
      const event = { at: now(), org, actor: 'system', action: 'files.expired', subject: org };
      await recordAudit(tx, { ...event, detail: { files: files.length } });
      return files;
    });
    onStep?.('names removed');
    for (const { blobId } of gone) if (!(await isBlobLive(control.read, blobId))) await removeBlob(paths, blobId);
    onStep?.('bytes removed');
    removed += gone.length;
  }
}

/** True after that time; false as soon as the process stops. */
async function restFor(ms: number, isStopping: () => boolean): Promise<boolean> {
  for (const end = performance.now() + ms; performance.now() < end; ) {
    if (isStopping()) return false;
    await sleep(1000);
  }
  return true;
}

async function removeOrphans(
  { control, directory, paths, now, onStep }: RetentionDeps,
  rest?: () => Promise<boolean>,
): Promise<number> {
  const readKept = async () => {
    const kept = new Set<string>();
    for (const run of await listUnfinishedRuns(control.read)) {
      const applied = (await findApplied(directory.read, run)) as Settlement | null;
      for (const { blob } of applied?.reports ?? []) kept.add(blob.id);
    }
    return kept;
  };
  const removed = await sweepOrphans({ control, paths, readKept, before: now() - orphanMs, rest });
  onStep?.('swept');
  return removed;
}
