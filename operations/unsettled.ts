/** Sealed reports of runs that are not settled: the control database has no rows for them yet. */
import type { Db } from '../db/connection.js';
import { listUnendedRuns } from '../db/control/identityrotation.js';
import type { Settlement } from '../db/control/settle.js';
import { findApplied } from '../importer/run/apply.js';

type Report = Settlement['reports'][number]['blob'] & { org: string };

/** The reports of runs that are applied and not settled: no row refers to them yet, and the next importer needs them. */
export async function listUnsettledReports({
  control,
  directory,
}: Record<'control' | 'directory', Pick<Db, 'read'>>): Promise<Report[]> {
  const reports: Report[] = [];
  for (const { id, org } of await listUnendedRuns(control.read)) {
    const applied = (await findApplied(directory.read, id)) as Settlement | null;
    for (const { blob } of applied?.reports ?? []) reports.push({ ...blob, org });
  }
  return reports;
}
