/** Erases deleted rows from the files of both databases, where they stay readable until their place is used again. */
import { deleteUnsyncedOfDead } from '../db/control/unsyncedblobs.js';
import { eraseDeleted } from '../db/erase.js';
import type { Workplace } from './workplace.js';

const directoryTables = [
  'users',
  'changes',
  'memberships',
  'former_emails',
  'teams',
  'team_aliases',
  'fields',
  'schedules_before',
  'known_rows',
  'applied_runs',
  'erased_people',
  'pending_erasures',
  'field_origins',
];
const controlTables = [
  'orgs',
  'uploads',
  'entries',
  'blobs',
  'partials',
  'runs',
  'moved_names',
  'check_reports',
  'login_keys',
  'unsynced_blobs',
];

/** Whether everything was erased; false: an open reader or a full disk kept part of it. Call again, or stop the server. */
export async function eraseBytes({ control, directory }: Pick<Workplace, 'control' | 'directory'>): Promise<boolean> {
  // The bytes of small files that were removed before they were synced; a server would delete them a moment later, or at its next start.
  await deleteUnsyncedOfDead(control.write);
  const isDirectoryErased = await eraseDeleted(directory, directoryTables);
  return (await eraseDeleted(control, controlTables)) && isDirectoryErased;
}
