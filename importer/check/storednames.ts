/**
 * Tells the senders of files that are stored and not imported because of their names, once for each name (rule F0), and takes away the
 * reports of checks on files that no longer wait for their import.
 */
import type { Settings } from '../../config/settings.js';
import { listStaleReports, removeStaleReport } from '../../db/control/checks.js';
import { recordEvent } from '../../db/control/events.js';
import { findOrg, type Org } from '../../db/control/orgs.js';
import { listTold, listUntold, listUntoldOrgs, noteTold, type StoredUpload } from '../../db/control/storedfiles.js';
import { removeBlob } from '../../storage/blobs.js';
import { kindOfName } from '../../storage/filename.js';
import { contactOf, nameContact } from '../contact.js';
import { quoteName } from '../outside.js';
import { dateIn, formatLocal, startOfDay } from '../schedule/calendar.js';
import { type Rounds, startRounds } from '../schedule/periodic.js';
import { type NoticeDeps, writeNotice } from './notice.js';

export type StoredNamesDeps = NoticeDeps & { settings: Pick<Settings, 'contact'> };

const lookEveryMs = 5_000;
/** Files of one organization that one round notes. */
const mostFiles = 1_000;
/** Files that one text names. */
const mostNames = 100;
const mostReports = 100;

const noticeName = 'not-imported.txt';

export function startStoredNames(deps: StoredNamesDeps): Rounds {
  return startRounds(async () => {
    for (const round of [tellStored, removeStaleReports])
      await round(deps).catch((error: Error) =>
        deps.logger.error(`could not tell about files that are not imported; will retry in ${lookEveryMs / 1000} s`, {
          reason: error.message,
        }),
      );
    return lookEveryMs;
  });
}

/** Tells each organization that has such files. */
export async function tellStored(deps: StoredNamesDeps): Promise<void> {
  const { control, logger, now } = deps;
  for (const id of await listUntoldOrgs(control.read, now())) {
    const org = await findOrg(control.read, id);
    if (org === null || org.sealedIdentity === null) continue;
    const due = await listUntold(control.read, id, now(), mostFiles);
    const news = due.filter(({ isNews }) => isNews);
    if (news.length > 0) await writeNotice(deps, org, noticeName, await describe(deps, org, news));
    const noted = await control.transact(async (tx) => {
      const told = await noteTold(
        tx,
        due.map(({ id }) => id),
        now(),
      );
      for (const { id: upload, path, size } of news.filter(({ id }) => told.includes(id)).slice(0, mostNames)) {
        const reason = kindOfName(path, org.options);
        const event = { at: now(), org: id, type: 'upload.ignored', subject: path };
        await recordEvent(tx, { ...event, data: { path, upload, size, reason } });
      }
      return told.length;
    });
    const waiting = news.filter(({ path }) => kindOfName(path, org.options) === 'unfinished').map(({ id }) => id);
    if (waiting.length > 0)
      logger.warn('files have waited for their rename for a day: they are not imported before', {
        org: id,
        count: waiting.length,
        uploads: waiting.slice(0, mostNames),
      });
    if (noted > waiting.length) logger.info('told about files that are not imported', { org: id, count: noted });
  }
}

/** The text of a day also has the files that were told earlier on that day. */
async function describe(
  { control, settings, now }: StoredNamesDeps,
  org: Org,
  news: readonly StoredUpload[],
): Promise<string[]> {
  const midnight = startOfDay(org.timeZone, dateIn(org.timeZone, now()));
  const told = await listTold(control.read, org.id, midnight, mostFiles);
  const files = [...told, ...news.filter(({ id }) => told.every((one) => one.id !== id))];
  const isUnfinished = ({ path }: StoredUpload) => kindOfName(path, org.options) === 'unfinished';
  const list = (some: readonly StoredUpload[]) => {
    const lines = some
      .slice(0, mostNames)
      .map(
        ({ path, size, closedAt }) => `  ${quoteName(path)} (${size} bytes, ${formatLocal(closedAt, org.timeZone)})`,
      );
    return some.length > mostNames ? [...lines, `  and ${some.length - mostNames} more`] : lines;
  };
  const others = files.filter((file) => !isUnfinished(file));
  const unfinished = files.filter(isUnfinished);
  const section = (some: readonly StoredUpload[], text: string) =>
    some.length === 0 ? [] : ['', nameContact(text, contactOf(org, settings)), '', ...list(some)];
  return [
    'Files that are not imported',
    ...section(
      others,
      'The names of these files do not look like the names of data files. They are stored, and not imported. If a file is data, rename it to a name that ends in .csv, .tsv or .txt, or ask your operator to allow the pattern of its name. Otherwise there is nothing to do.',
    ),
    ...section(
      unfinished,
      'The names of these files say that their upload is not finished, and have done so for a day. If a file is complete, rename it to its final name, such as users.csv: it is imported then. If it is not, remove it or send it again.',
    ),
    '',
    'Each of them is named in such a list once.',
  ];
}

/** A sender who removed a file, or gave it a temporary name, needs no report that it waits for its import. */
export async function removeStaleReports({ control, paths }: Pick<NoticeDeps, 'control' | 'paths'>): Promise<void> {
  for (const stale of await listStaleReports(control.read, mostReports)) {
    const freed = await control.transact((tx) => removeStaleReport(tx, stale));
    for (const blob of freed) await removeBlob(paths, blob);
  }
}
