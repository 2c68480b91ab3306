/** Checks that scheduled backups are made, and that a disk that fails does not take them with it. */
import { statSync } from 'node:fs';
import { overdueMs, readBackupSchedule } from '../../db/control/backupschedule.js';
import { findLastBackup } from '../../db/control/overview.js';
import { readKey } from '../backup/sftpstore.js';
import { OperationError } from '../error.js';
import { formatTime } from '../format.js';
import type { Workplace } from '../workplace.js';
import { type Finding, reporter } from './finding.js';

/** Nothing without scheduled backups: then it is the operator who makes them. */
export async function examineBackups({ control, settings, paths, now }: Workplace): Promise<Finding[]> {
  const { backupTo: to } = settings;
  if (to === undefined) return [];
  const findings: Finding[] = [];
  const report = reporter(findings, 'backups', to);
  const { failedAt, failure } = await readBackupSchedule(control.read);
  const lastAt = await findLastBackup(control.read);
  const mostMs = overdueMs(settings);
  if (failedAt !== null) report('warning', `the last scheduled backup failed at ${formatTime(failedAt)}: ${failure}`);
  if (lastAt !== null && mostMs !== null && now() - lastAt >= mostMs)
    report(
      'warning',
      `the last backup was made at ${formatTime(lastAt)}: a newer one is overdue; does "dropslot serve" run?`,
    );
  const fault = to.startsWith('sftp:') ? findKeyFault(settings) : null;
  if (fault !== null) report('warning', fault);
  if (isSameVolume(to, paths.data) || isThisMachine(to))
    report(
      'warning',
      'the backups are on the same volume as the data: a disk that fails takes both; set backupTo to another one',
    );
  if (findings.length === 0)
    report('ok', lastAt === null ? 'none was made yet' : `the last one was made at ${formatTime(lastAt)}`);
  return findings;
}

/** null: the key for the SFTP server can be read. */
function findKeyFault(settings: Workplace['settings']): string | null {
  try {
    readKey(settings);
    return null;
  } catch (error) {
    if (error instanceof OperationError) return error.message;
    throw error;
  }
}

function isThisMachine(to: string): boolean {
  return to.startsWith('sftp:') && /^(localhost|127\.[\d.]+|\[::1\])$/i.test(new URL(to).hostname);
}

/** false also for a folder that does not exist yet. */
function isSameVolume(one: string, other: string): boolean {
  const [first, second] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false })?.dev);
  return first !== undefined && first === second;
}
