/** The events of a run that no audit record tells: that it began with its files, and how it ended. */
import type { Queryable } from '../connection.js';
import { hasEvent, recordEvent } from './events.js';
import type { Run } from './runs.js';

/** Records once for each run that it began, in the transaction that gives it its files. */
export async function noteStarted(
  tx: Queryable,
  run: Pick<Run, 'id' | 'org' | 'kind' | 'undoes'>,
  uploads: readonly { id: number }[],
  at: number,
): Promise<void> {
  if (await hasEvent(tx, run.id, 'run.started')) return;
  const data = { run: run.id, kind: run.kind, uploads: uploads.map(({ id }) => id) };
  const of = { at, org: run.org, run: run.id, subject: `run ${run.id}` };
  await recordEvent(tx, { ...of, type: 'run.started', data });
}

/** The part of a summary that events have; the type of the importer has more. */
interface Summarized {
  users?: Record<string, number>;
  teams?: Record<string, number>;
  files?: readonly { uploadId: number | null; type: string | null; state: string; refusal?: { code: string } | null }[];
}

/** Records that a run was applied and settled, and which of its files were refused: these come first. */
export async function noteCompleted(tx: Queryable, run: Run, summary: unknown, at: number): Promise<void> {
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
