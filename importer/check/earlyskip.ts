/** Skips the early check of an organization with very many queued files, and says so in `/reports` and in the log. */
import { countQueue, skipChecks } from '../../db/control/checks.js';
import type { Org } from '../../db/control/orgs.js';
import type { RunDeps } from '../run/deps.js';
import { formatLocal } from '../schedule/calendar.js';
import { jitterOf, nextSlotOf } from '../schedule/jitter.js';
import { type NoticeDeps, writeNotice } from './notice.js';

const noticeName = 'early-check.skipped.txt';

/** false: there are not too many. */
export async function skipEarlyChecks(deps: NoticeDeps & Pick<RunDeps, 'settings'>, org: Org): Promise<boolean> {
  const { control, logger, now, settings } = deps;
  const queued = await countQueue(control.read, org.id);
  if (queued <= settings.earlyCheckFiles) return false;
  const slotAt = nextSlotOf(org, now(), jitterOf(org, settings.slotJitterMinutes));
  await writeNotice(deps, org, noticeName, [
    'Files that were not checked before their import',
    '',
    `${queued} files wait for the import of ${formatLocal(slotAt, org.timeZone)}. Files are checked before their import only while at most ${settings.earlyCheckFiles} of them wait, so there is no early check of those that were sent since.`,
    '',
    'They are imported all the same, and the reports of the import show their problems. To check a file before its import, put it into /dry-run.',
  ]);
  const skipped = await skipChecks(control.write, org.id, now());
  logger.warn('skipped the early check of uploads: too many files are queued', {
    org: org.id,
    skipped,
    queued,
    most: settings.earlyCheckFiles,
  });
  return true;
}
