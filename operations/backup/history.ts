/** The backups that were made, as the audit trail has them. */
import { listBackups } from '../../db/control/overview.js';
import type { Workplace } from '../workplace.js';
import type { BackupReport } from './backup.js';

export interface MadeBackup {
  at: number;
  actor: string;
  folder: string;
  files: number;
  masterKey: BackupReport['masterKey'];
}

const mostListed = 1_000;

/** The newest first, at most 1,000. */
export async function listMadeBackups({ control }: Pick<Workplace, 'control'>): Promise<MadeBackup[]> {
  const records = await listBackups(control.read, mostListed);
  return records.map(({ at, actor, subject, detail }) => {
    const { files = 0, masterKey = 'left out' } = JSON.parse(detail) as Partial<MadeBackup>;
    return { at, actor, folder: subject, files, masterKey };
  });
}
