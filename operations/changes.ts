/** The changes that a run made, or would make: each value, with the file and line that it comes from. */
import type { Run } from '../db/control/runs.js';
import { findUpload } from '../db/control/uploads.js';
import { describeAfter, nameColumn, type Place, type ShownChange } from '../importer/report/changeorder.js';
import { listPlanned, rankPlanned } from '../importer/report/plannedchanges.js';
import { countRecorded, listRecorded } from '../importer/report/recordedchanges.js';
import { OperationError } from './error.js';
import { getRun } from './runs.js';
import type { Workplace } from './workplace.js';

export { describeAfter, nameColumn };

/** A change with the path of its file; null: it comes from no file. */
export type RunChange = Omit<ShownChange, 'source'> & { file: string | null };

export interface RunChanges {
  run: Run;
  /** Whether the changes are made; else an approval would make them. */
  isApplied: boolean;
  /** false: they differ from the changes that were counted when the run was held. */
  isAsCounted: boolean;
  total: number;
  /** The most severe first. @param from only changes after this place; for changes that are made */
  list(most: number, from?: Place | null): AsyncIterable<RunChange>;
}

/**
 * Gives `use` the changes of a run, which can be listed until it returns. Plans a held run again, and opens its files.
 * @param onPlanning called before planning, which may take minutes.
 * @throws OperationError `not_found`; `refused` for a run that made no changes and would make none; KeyError
 */
export async function withRunChanges(
  workplace: Workplace,
  id: string,
  use: (changes: RunChanges) => Promise<void>,
  onPlanning: (run: Run) => void = () => {},
): Promise<void> {
  const run = await getRun(workplace, id);
  if (run.state === 'done') return use(await readRecorded(workplace, run));
  const isWaiting = run.state === 'held' || run.state === 'open';
  if (!isWaiting || run.hold === null) throw noChanges(run);
  onPlanning(run);
  const { settings, paths, control, directory, now, identity, hooks } = workplace;
  const { createLogger } = await import('../config/logger.js');
  const { planHeld } = await import('../importer/check/heldplan.js');
  const logger = createLogger({ ...settings, logLevel: 'error' });
  const deps = { settings, paths, control, directory, logger, identity, now, hooks };
  const isPlanned = await planHeld(deps, await workplace.org(run.org), run, async ({ stage, files, isAsCounted }) => {
    const total = await rankPlanned(stage, run.org);
    const list = (most: number) =>
      named(listPlanned(stage, run.org, most), async (source) => (source === null ? null : (files[source] ?? null)));
    await use({ run, isApplied: false, isAsCounted, total, list });
    return true;
  });
  if (isPlanned === null) throw noChanges(await getRun(workplace, id));
}

async function readRecorded({ directory, control }: Workplace, run: Run): Promise<RunChanges> {
  const total = await countRecorded(directory.read, run.org, run.id);
  const names = new Map<number, string | null>();
  const nameOf = async (upload: number | null) => {
    if (upload === null) return null;
    if (!names.has(upload)) {
      names.set(upload, (await findUpload(control.read, upload))?.path ?? null);
    }
    return names.get(upload)!;
  };
  const list = (most: number, from: Place | null = null) =>
    named(listRecorded(directory.read, run.org, run.id, most, from), nameOf);
  return { run, isApplied: true, isAsCounted: true, total, list };
}

async function* named(
  pages: AsyncIterable<ShownChange[]>,
  nameOf: (source: number | null) => Promise<string | null>,
): AsyncGenerator<RunChange> {
  for await (const page of pages)
    for (const { source, ...change } of page) yield { file: await nameOf(source), ...change };
}

function noChanges({ id, state }: Run): OperationError {
  const why = state === 'open' || state === 'running' ? 'its changes are not known yet' : 'it changed nothing';
  return new OperationError('refused', `run ${id} is ${state}: ${why}`);
}
