/** Checks whether files stopped an importer in the last days. */
import { type Cause, listQuarantined } from '../../db/control/quarantine.js';
import { formatTime } from '../format.js';
import type { Workplace } from '../workplace.js';
import type { Finding } from './finding.js';

const recentMs = 7 * 86_400_000;
const mostFiles = 20;

/** An operator reads these beside the log: no other place tells of a file that was tried once. */
export async function examineImporters({ control, now }: Pick<Workplace, 'control' | 'now'>): Promise<Finding[]> {
  const found = await listQuarantined(control.read, now() - recentMs, mostFiles);
  return found.map(({ org, path, cause, isRefused, at }) => {
    const ending =
      cause === 'check_time' ? 'the check of this file was ended' : 'an importer was ended while it read this file';
    return {
      level: 'warning',
      check: 'importers',
      subject: `${org} ${path}`,
      message: `${ending}: ${reasons[cause]} (${formatTime(at)})${isRefused ? advice[cause] : '; it is tried once more'}`,
    };
  });
}

const reasons: Record<Cause, string> = {
  hung: 'the importer did not respond',
  memory: 'it needed more than importerMemoryBytes',
  time: 'it took more than maxFileMinutes',
  check_time: 'it took more than maxCheckMinutes',
};

const refused = '. The file is refused; have its sender split it, or raise the setting';
const advice: Record<Cause, string> = {
  hung: '. The file is refused; read the log, and report the file as a defect of Dropslot',
  memory: refused,
  time: refused,
  check_time: '; its import has more time',
};
