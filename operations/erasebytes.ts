/** Erases deleted rows from the files of both databases, where they stay readable until their place is used again. */
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
];

/** Whether everything was erased; false: an open reader or a full disk kept part of it. Call again, or stop the server. */
export async function eraseBytes({ control, directory }: Pick<Workplace, 'control' | 'directory'>): Promise<boolean> {
  const isDirectoryErased = await eraseDeleted(directory, directoryTables);
  return (await eraseDeleted(control, controlTables)) && isDirectoryErased;
}
