/** Words the reason for which a stored file of an organization is not queued (rule F0). */
import { listStored, type StoredUpload } from '../db/control/storedfiles.js';
import { kindOfName, type NameOptions } from '../storage/filename.js';
import type { Workplace } from './workplace.js';

export type { StoredUpload } from '../db/control/storedfiles.js';

const words = {
  unfinished: 'not imported: waits for its rename to a final name',
  other:
    'not imported: its name does not look like a data file; rename it or allow the pattern (orgs set importPatterns=…)',
  // An option that has changed applies at once: only a file of an earlier version has such a name.
  data: 'not imported: rename it',
};

/** The reason, and the way out of it. */
export function describeName(path: string, options: NameOptions): string {
  return words[kindOfName(path, options)];
}

export interface StoredFiles {
  /** Those that wait for the rename to a final name, oldest first. */
  unfinished: StoredUpload[];
  /** Those whose names do not look like data files. */
  others: StoredUpload[];
}

export async function sortStored(
  { control }: Pick<Workplace, 'control'>,
  { id, options }: { id: string; options: NameOptions },
): Promise<StoredFiles> {
  const files = await listStored(control.read, id);
  const isUnfinished = ({ path }: StoredUpload) => kindOfName(path, options) === 'unfinished';
  return { unfinished: files.filter(isUnfinished), others: files.filter((file) => !isUnfinished(file)) };
}
