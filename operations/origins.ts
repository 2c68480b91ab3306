/** Tells who made a recorded change: a file, a person, an undo, or a scheduled deactivation. */
import { findRun } from '../db/control/runs.js';
import { findUpload } from '../db/control/uploads.js';
import type { RecordedChange } from '../db/directory/history.js';
import type { RunSummary } from '../importer/types.js';
import type { Workplace } from './workplace.js';

/** `file`: an import. `person`: a command or the organization's owner. `schedule`: a scheduled deactivation took place. */
export type Origin = 'file' | 'person' | 'undo' | 'schedule';

export interface OriginatedChange extends RecordedChange {
  origin: Origin;
  /** Path of the upload; null where no upload says it. */
  file: string | null;
  /** Who made a person's change, as the audit trail names them; null: not a person, or not known. */
  by: string | null;
}

/** The two databases can't be joined; the changes of a user or team come from few runs and uploads. */
export async function findOrigins(
  workplace: Workplace,
  changes: readonly RecordedChange[],
): Promise<OriginatedChange[]> {
  const paths = new Map<number, string | null>();
  const runs = new Map<number, Pick<OriginatedChange, 'origin' | 'by'>>();
  const found: OriginatedChange[] = [];
  for (const change of changes) {
    const { uploadId, runId } = change;
    if (uploadId !== null && !paths.has(uploadId))
      paths.set(uploadId, (await findUpload(workplace.control.read, uploadId))?.path ?? null);
    if (runId !== null && !runs.has(runId)) runs.set(runId, await describeRun(workplace, runId));
    const whose = runId === null ? { origin: originWithoutRun(change), by: null } : runs.get(runId)!;
    found.push({ ...change, ...whose, file: uploadId === null ? null : paths.get(uploadId)! });
  }
  return found;
}

async function describeRun(workplace: Workplace, id: number): Promise<Pick<OriginatedChange, 'origin' | 'by'>> {
  const run = await findRun(workplace.control.read, id);
  if (run?.kind === 'edit') return { origin: 'person', by: (run.summary as RunSummary | null)?.edit?.by ?? null };
  return { origin: run?.kind === 'undo' ? 'undo' : 'file', by: null };
}

function originWithoutRun({ field, after }: RecordedChange): Origin {
  return field === 'Status' && after === 'deactivated' ? 'schedule' : 'person';
}
