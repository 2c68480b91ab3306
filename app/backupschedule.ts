/** Makes a backup each time that one is due, in a process of its own; the scheduler's process starts it. */
import type { ChildProcess } from 'node:child_process';
import type { Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import type { Db } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import { claimBackup, noteBackupProgress, noteBackupRetry, noteScheduledBackup } from '../db/control/backupschedule.js';
import { type Rounds, startRounds } from '../importer/schedule/periodic.js';
import type { KnownSecrets } from '../keys/master/secrets.js';
import { claimMs, keepClaim } from '../operations/backup/claim.js';
import { retryMs } from '../operations/backup/schedule.js';
import type { BackupNews, BackupRequest, BackupResult } from './backupmain.js';
import { forkProcess } from './forking.js';

export interface BackupScheduleDeps {
  settings: Settings;
  secrets: KnownSecrets;
  control: Db;
  logger: Logger;
  now: () => number;
  /** The module to fork. */
  module?: URL;
}

const lookEveryMs = 15_000;
/** After a command that changes keys. */
const waitMs = 60_000;

const entry = new URL(`./backupentry${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** null: the settings want no scheduled backups. */
export function startBackupSchedule(deps: BackupScheduleDeps): Rounds | null {
  if (deps.settings.backupTo === undefined) return null;
  const running: Running = { child: null, isStopping: false };
  const rounds = startRounds(async () => {
    await makeDueBackup(deps, running).catch(({ message: reason }: Error) =>
      deps.logger.error(`could not look for a backup that is due; will retry in ${lookEveryMs / 1000} s`, { reason }),
    );
    return lookEveryMs;
  });
  return {
    stop: async () => {
      running.isStopping = true;
      // A kill loses nothing: the next backup continues with the files that this one has copied.
      running.child?.kill('SIGKILL');
      await rounds.stop();
    },
  };
}

interface Running {
  child: ChildProcess | null;
  isStopping: boolean;
}

/** One round. */
async function makeDueBackup(deps: BackupScheduleDeps, running: Running): Promise<void> {
  const { settings, control, logger, now } = deps;
  const begunAt = now();
  const claimed = await claimBackup(control.write, begunAt, settings.backupEvery * 3_600_000, claimMs);
  if (claimed === null) return;
  const { claim, by } = claimed;
  logger.info('a scheduled backup begins', { to: settings.backupTo, ...(by !== null && { askedBy: by }) });
  const endKeeping = keepClaim(control, claim, now, () => running.child?.kill('SIGKILL'));
  const result = await runBackup(deps, running, claimed).finally(endKeeping);
  const at = now();
  if (result.type === 'made') {
    const { folder, files, newFiles, sealedBytes, removedBackups, wrong } = result.report;
    if (!(await noteScheduledBackup(control.write, claim, begunAt, folder, at))) warnLost(deps);
    const details = { folder, files, newFiles, bytes: sealedBytes, removedBackups, ms: at - begunAt };
    logger.info('a scheduled backup was made', details);
    if (wrong.length > 0)
      logger.error('the backup is complete, but files were damaged before it; run "dropslot doctor --deep"', { wrong });
    return;
  }
  const { reason } = result;
  const isPutOff = running.isStopping || result.type === 'refused';
  const retryAt = at + (running.isStopping ? 0 : isPutOff ? waitMs : retryMs);
  if (!(await noteBackupRetry(control.write, claim, { at, retryAt, failure: isPutOff ? null : reason })))
    return warnLost(deps);
  if (running.isStopping) return;
  if (isPutOff) return void logger.info(`the scheduled backup waits ${waitMs / 1000} s`, { reason });
  logger.error(`the scheduled backup failed; will retry in ${retryMs / 60_000} minutes`, { reason });
  const event = { at, org: null, actor: 'system', action: 'backup.failed', subject: settings.backupTo! };
  await recordAudit(control.write, { ...event, detail: { reason } });
}

function warnLost({ logger }: BackupScheduleDeps): void {
  logger.warn('another process makes the scheduled backup now, since this one stood still', { forMs: claimMs });
}

/** @param by who asked for it; null: it is due */
function runBackup(
  { settings, secrets, control, module = entry }: BackupScheduleDeps,
  running: Running,
  { claim, by }: { claim: number; by: string | null },
): Promise<BackupResult> {
  return new Promise((resolve) => {
    const child = forkProcess(module, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    running.child = child;
    let result: BackupResult | null = null;
    const end = (reason: string) => {
      running.child = null;
      resolve(result ?? { type: 'failed', reason });
    };
    child.on('message', (message: BackupResult | BackupNews) => {
      if (message.type !== 'progress') result = message;
      // It is shown, and no more: a backup does not end because it could not be noted.
      else void noteBackupProgress(control.write, claim, message.text).catch(() => {});
    });
    child.once('exit', (code, signal) => end(`its process ended with ${signal ?? `code ${code}`}`));
    // A process that could not be started emits no exit.
    child.on('error', ({ message }) => child.pid === undefined && end(message));
    if (child.connected) child.send({ settings, secrets, claim, by } satisfies BackupRequest, () => {});
    if (running.isStopping) child.kill('SIGKILL');
  });
}
