/** A backup that a person asks for: the process that makes scheduled backups makes it, into the folder of the setting. */
import { recordAudit } from '../../db/control/audit.js';
import { askForBackup, type BackupJob, readBackupJobRow } from '../../db/control/backupschedule.js';
import { OperationError } from '../error.js';
import type { Workplace } from '../workplace.js';

export type { BackupJob };

/** @throws OperationError `refused` without a folder for backups, and while one that was asked for is not made yet */
export async function requestBackup(workplace: Workplace): Promise<BackupJob> {
  const { settings, control, actor, now } = workplace;
  if (settings.backupTo === undefined)
    throw new OperationError(
      'refused',
      'the server makes backups into the folder of the setting backupTo, and none is set: set it, or use "dropslot backup DIR"',
    );
  const at = now();
  await control.transact(async (tx) => {
    if (!(await askForBackup(tx, actor, at)))
      throw new OperationError('refused', 'a backup was asked for already, and is not made yet');
    const event = { at, org: null, actor, action: 'backup.requested', subject: settings.backupTo! };
    await recordAudit(tx, { ...event, detail: {} });
  });
  return readBackupJob(workplace);
}

export function readBackupJob({ control }: Pick<Workplace, 'control'>): Promise<BackupJob> {
  return readBackupJobRow(control.read);
}
