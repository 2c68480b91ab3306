/** Writes the report of a day's scheduled deactivations into `/reports/<date>/`, anew whenever more users were deactivated. */
import { DateTime } from 'luxon';
import type { Logger } from '../../config/logger.js';
import type { Paths } from '../../config/paths.js';
import type { Db } from '../../db/connection.js';
import { replaceFile } from '../../db/control/checks.js';
import { findEntry } from '../../db/control/entries.js';
import { findOrg, type Org } from '../../db/control/orgs.js';
import { reportsFolder } from '../../db/control/treelayout.js';
import { listDeactivated } from '../../db/directory/deactivations.js';
import { isInControl, sealAndCommit } from '../../storage/blobcommit.js';
import { removeBlob } from '../../storage/blobs.js';
import { requireOpenable } from '../../storage/recipient.js';
import { guardFormula } from '../read/formulaguard.js';
import { markOf, toCsv } from '../report/csv.js';
import { writeText } from '../report/filereport.js';
import { dateIn, formatLocal, startOfDay } from './calendar.js';

export interface DeactivationReportDeps {
  control: Db;
  directory: Db;
  paths: Paths;
  logger: Logger;
  now: () => number;
}

const fileName = 'deactivations.csv';
const header = ['User Email', 'User Name', 'Deactivation Date', 'Deactivated At'];

/**
 * Of the day in the organization's time zone on which `at` (ms) is. Nothing is written for a day without any.
 * @param isMissing only where the report does not exist: a process may have ended between a deactivation and its report.
 */
export async function reportDeactivations(
  deps: DeactivationReportDeps,
  orgId: string,
  at: number,
  isMissing = false,
): Promise<void> {
  const org = await findOrg(deps.control.read, orgId);
  if (org === null || org.sealedIdentity === null) return;
  const day = dateIn(org.timeZone, at);
  const path = `${reportsFolder(day)}/${fileName}`;
  if (isMissing && (await findEntry(deps.control.read, org.id, path)) !== null) return;
  const text = await describeDay(deps.directory, org, day);
  if (text !== null) await writeDay(deps, org, path, text);
}

/** null: no one was deactivated. */
async function describeDay(directory: Db, org: Org, day: string): Promise<string | null> {
  const next = DateTime.fromISO(day, { zone: 'utc' }).plus({ days: 1 }).toISODate()!;
  const [from, to] = [startOfDay(org.timeZone, day), startOfDay(org.timeZone, next)];
  const users = await listDeactivated(directory.read, org.id, from, to);
  if (users.length === 0) return null;
  const rows = users.map(({ email, name, date, at }) => [
    ...[guardFormula(email), guardFormula(name ?? ''), date ?? '', formatLocal(at, org.timeZone)],
  ]);
  return markOf(org.options) + toCsv([header, ...rows]);
}

async function writeDay(
  { control, paths, logger, now }: DeactivationReportDeps,
  org: Org,
  path: string,
  text: string,
): Promise<void> {
  const freed = await sealAndCommit({
    ...{ paths, logger },
    isNamed: isInControl(control),
    seal: (keep) => keep(writeText({ paths, recipient: org.recipient }, text)),
    commit: (blob, blobs) =>
      control.transact(async (tx) => {
        await requireOpenable(tx, org.id, blobs);
        return replaceFile(tx, org.id, path, blob, now());
      }),
  });
  for (const id of freed) await removeBlob(paths, id);
}
