/** Writes the report of a day's scheduled deactivations into `/reports/<date>/`, anew whenever more users were deactivated. */
import { DateTime } from 'luxon';
import type { Db } from '../../db/connection.js';
import { findEntry } from '../../db/control/entries.js';
import { findOrg, type Org } from '../../db/control/orgs.js';
import { reportsFolder } from '../../db/control/treelayout.js';
import { listDeactivated } from '../../db/directory/deactivations.js';
import { guardFormula } from '../read/formulaguard.js';
import { markOf, toCsv } from '../report/csv.js';
import { type OwnFileDeps, writeOwnReport } from '../report/ownfile.js';
import { dateIn, formatLocal, startOfDay } from './calendar.js';

export interface DeactivationReportDeps extends OwnFileDeps {
  directory: Db;
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
  const written = org.options.reportsTo === undefined ? path : `${path}.pgp`;
  if (isMissing && (await findEntry(deps.control.read, org.id, written)) !== null) return;
  const text = await describeDay(deps.directory, org, day);
  if (text !== null) await writeOwnReport(deps, org, path, text);
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
