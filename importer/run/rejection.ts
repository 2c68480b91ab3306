/** Rejects a held run, or some of its files: nothing of them is applied, and the other files are queued again (rule G1). */
import { retiredName } from '../../db/control/heldreports.js';
import { rejectHeld } from '../../db/control/holds.js';
import { findOrg } from '../../db/control/orgs.js';
import type { Run } from '../../db/control/runs.js';
import { archiveFolder, reportsFolder } from '../../db/control/treelayout.js';
import { listHeld } from '../../db/control/uploads.js';
import { findReportKey } from '../../keys/pgp/keyset.js';
import { isInControl, sealAndCommit } from '../../storage/blobcommit.js';
import { removeBlob } from '../../storage/blobs.js';
import { splitPath } from '../../storage/path.js';
import { ReportSet } from '../report/reportset.js';
import { stemOf } from '../report/runreports.js';
import { dateIn } from '../schedule/calendar.js';
import type { FileOutcome, RunSummary } from '../types.js';
import type { Decision } from './approval.js';
import type { RunDeps } from './deps.js';

export interface Rejection extends Decision {
  /** Uploads of the run that are rejected; the others are queued again. Absent: all are rejected. */
  uploads?: readonly number[] | undefined;
}

/** Ends the run: moves its rejected files to the archive, and writes a summary for the sender. false: it is not held. */
export async function rejectRun(
  { control, paths, logger, now }: Pick<RunDeps, 'control' | 'paths' | 'now'> & Partial<Pick<RunDeps, 'logger'>>,
  run: Run,
  { by, note, uploads }: Rejection,
): Promise<boolean> {
  const org = (await findOrg(control.read, run.org))!;
  const at = now();
  const date = dateIn(org.timeZone, at);
  const freed = await sealAndCommit({
    ...{ paths, logger },
    isNamed: isInControl(control),
    seal: async (keep) => {
      const encryptTo = await findReportKey(control.read, org.id, org.options.reportsTo);
      const set = new ReportSet({ control, paths, org, keep, encryptTo });
      const folder = archiveFolder(date);
      const archivedAs = new Map<number, string>();
      for (const { id, path } of await listHeld(control.read, run.id))
        if (uploads?.includes(id) ?? true) archivedAs.set(id, await set.reserve(folder, splitPath(path).name));
      const counted = run.summary as RunSummary;
      const beside = await nameBeside(set, folder, counted, archivedAs);
      const files: FileOutcome[] = [];
      for (const file of counted.files) {
        const archived = archivedAs.get(file.uploadId ?? -1) ?? null;
        const isQueued = archived === null && uploads !== undefined;
        const report = file.report === null ? null : await nameRetired(set, file.report);
        files.push({ ...file, state: isQueued ? 'queued' : 'refused', archivedAs: archived, report });
      }
      const { appliedAt: _never, ...rest } = counted;
      const summary: RunSummary = { ...rest, state: 'rejected', note, files, rejectedAt: at };
      await set.addSummary(reportsFolder(date), `run-${run.id}.rejected`, summary);
      return { archivedAs, beside, settlement: { reports: set.reports, summary } };
    },
    commit: (rejection) => rejectHeld(control, run, { by, at, note, ...rejection }),
  });
  for (const id of freed ?? []) await removeBlob(paths, id);
  return freed !== null;
}

/** The path that a report of the held run gets when the run is no longer held. */
function nameRetired(set: ReportSet, report: string): Promise<string> {
  const { dir, name } = splitPath(report);
  return set.reserve(dir, retiredName(name, 'was-held', 'report') ?? name);
}

/** By the path of each report on a file: the name that it has in the archive, beside its file. */
async function nameBeside(
  set: ReportSet,
  folder: string,
  { files }: RunSummary,
  archivedAs: ReadonlyMap<number, string>,
): Promise<Map<string, string>> {
  const beside = new Map<string, string>();
  for (const { uploadId, report } of files) {
    const archived = archivedAs.get(uploadId ?? -1);
    if (report === null || archived === undefined) continue;
    beside.set(report, await set.reserve(folder, set.nameOf(`${stemOf(splitPath(archived).name)}.report.csv`)));
  }
  return beside;
}
