/** An operator's word on a held run: approve exactly what was counted, or reject it (rule G1). */
import { approveHeld, rejectHeld } from '../../db/control/holds.js';
import { findOrg } from '../../db/control/orgs.js';
import type { Run } from '../../db/control/runs.js';
import { listHeld } from '../../db/control/uploads.js';
import { removeBlob } from '../../storage/blobs.js';
import { dateIn } from '../schedule/calendar.js';
import type { RunSummary } from '../types.js';
import type { RunDeps } from './run.js';
import { createPlacer, type Report, writeSummary } from './settlement.js';

export interface Word {
  /** For the audit trail. */
  by: string;
  note: string | null;
}

const hourMs = 3_600_000;

/** Lets importers have the run again; they apply it if it still plans the same. false: it is not held. */
export async function approveRun(
  { control, settings, now }: Pick<RunDeps, 'control' | 'settings' | 'now'>,
  run: Run,
  { by, note }: Word,
): Promise<boolean> {
  if (run.hold === null) return false;
  const at = now();
  const until = at + settings.approvalHours * hourMs;
  return approveHeld(control, run, { by, at, until, digest: run.hold.digest, note });
}

/** Ends the run: its files go to the archive, and a summary tells the sender. false: it is not held. */
export async function rejectRun(
  { control, paths, now }: Pick<RunDeps, 'control' | 'paths' | 'now'>,
  run: Run,
  { by, note }: Word,
): Promise<boolean> {
  const org = (await findOrg(control.read, run.org))!;
  const at = now();
  const date = dateIn(org.timeZone, at);
  const place = createPlacer({ control }, org);
  const archivedAs = new Map<number, string>();
  for (const { id, path } of await listHeld(control.read, run.id))
    archivedAs.set(id, await place(`/archive/${date}`, path.slice(path.lastIndexOf('/') + 1)));
  const counted = run.summary as RunSummary;
  const beside = new Map<string, string>();
  for (const { uploadId, report } of counted.files) {
    const archived = archivedAs.get(uploadId ?? -1);
    if (report === null || archived === undefined) continue;
    const stem = archived.slice(archived.lastIndexOf('/') + 1).replace(/\.csv$/i, '');
    beside.set(report, await place(`/archive/${date}`, `${stem}.report.csv`));
  }
  const files = counted.files.map((file) => ({
    ...file,
    state: 'refused' as const,
    archivedAs: archivedAs.get(file.uploadId ?? -1) ?? null,
  }));
  const summary: RunSummary = { ...counted, state: 'rejected', note, files, appliedAt: at };
  const reports: Report[] = [];
  let isSubmitted = false;
  try {
    const deps = { paths, recipient: org.recipient };
    await writeSummary(deps, `/reports/${date}`, `run-${run.id}.rejected`, summary, place, reports);
    isSubmitted = true;
    const rejection = { by, at, note, archivedAs, beside, settlement: { reports, summary } };
    const isRejected = await rejectHeld(control, run, rejection);
    if (!isRejected) for (const { blob } of reports) await removeBlob(paths, blob.id);
    return isRejected;
  } catch (error) {
    if (!isSubmitted) for (const { blob } of reports) await removeBlob(paths, blob.id);
    throw error;
  }
}
