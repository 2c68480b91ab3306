/** The events of a run that no audit record tells: that it began with its files, and how it ended. */
import type { Queryable } from '../connection.js';
import { hasEvent, recordEvent } from './events.js';

/** The part of a run that its events have. */
interface StartedRun {
  id: number;
  org: string;
  kind: string;
}

/** An event names at most so many uploads: a run may take any number. */
const mostUploads = 100;

/**
 * Records that a run began, in the transaction that gives it its files.
 * @param ids of these files; of a run that began before, it is recorded if it was not yet.
 */
export async function noteStarted(tx: Queryable, run: StartedRun, ids: readonly number[], at: number): Promise<void> {
  const data = { run: run.id, kind: run.kind, files: ids.length, uploads: ids.slice(0, mostUploads) };
  const of = { at, org: run.org, run: run.id, subject: `run ${run.id}` };
  await recordEvent(tx, { ...of, type: 'run.started', data });
}

/** Whether noteStarted has recorded it. */
export function isNotedStarted(tx: Queryable, run: number): Promise<boolean> {
  return hasEvent(tx, run, 'run.started');
}

/** The part of a summary that events have; the type of the importer has more. */
interface Summarized {
  users?: Record<string, number>;
  teams?: Record<string, number>;
  files?: readonly { uploadId: number | null; type: string | null; state: string; refusal?: { code: string } | null }[];
}

/** Records that a run was applied and settled, and which of its files were refused: these come first. */
export async function noteCompleted(
  tx: Queryable,
  run: StartedRun & { undoes: number | null },
  summary: unknown,
  at: number,
): Promise<void> {
  const { users = {}, teams = {}, files = [] } = (summary ?? {}) as Summarized;
  const of = { at, org: run.org, run: run.id };
  const refused = files.filter(({ state }) => state === 'refused');
  for (const { uploadId, type, refusal } of refused) {
    const data = { run: run.id, upload: uploadId, type, code: refusal?.code ?? null };
    await recordEvent(tx, { ...of, type: 'file.refused', subject: `upload ${uploadId}`, data });
  }
  const problems = ['faults', 'warnings'].some((kind) => (users[kind] ?? 0) + (teams[kind] ?? 0) > 0);
  const data = { run: run.id, kind: run.kind, users, teams, files: files.length, refused: refused.length };
  const type = problems || refused.length > 0 ? 'run.completed_with_problems' : 'run.completed';
  await recordEvent(tx, { ...of, type, subject: `run ${run.id}`, data });
  if (run.kind !== 'undo' || run.undoes === null) return;
  await recordEvent(tx, {
    ...{ ...of, type: 'run.undone', subject: `run ${run.undoes}` },
    data: { run: run.undoes, by: run.id },
  });
}
