/** What a run changed, or would change: each value, with the file and the line that say it. */
import { createLogger } from '../config/logger.js';
import type { Run } from '../db/control/runs.js';
import { findUpload } from '../db/control/uploads.js';
import { planHeld } from '../importer/check/heldplan.js';
import type { ShownChange } from '../importer/report/changeorder.js';
import { listPlanned, rankPlanned } from '../importer/report/plannedchanges.js';
import { countRecorded, listRecorded } from '../importer/report/recordedchanges.js';
import { OperationError } from './error.js';
import { getRun } from './runs.js';
import type { Workplace } from './workplace.js';

/** A change with the name of its file; null: no file says it. */
export type RunChange = Omit<ShownChange, 'source'> & { file: string | null };

export interface RunChanges {
  run: Run;
  /** Whether they are made; else they are what an approval would make. */
  isApplied: boolean;
  /** false: not what was counted when the run was held. */
  isAsCounted: boolean;
  total: number;
  /** What weighs most first. */
  list(most: number): AsyncIterable<RunChange>;
}

/**
 * The changes are there while `use` works. A held run is planned anew, and its files are opened for it.
 * @param onPlanning told before that, since it may take a while.
 * @throws OperationError `not_found`; `refused` for a run that changed nothing, and would not; KeyError
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
  if (!isWaiting || run.hold === null) throw nothingOf(run);
  onPlanning(run);
  const { settings, paths, control, directory, now, identity } = workplace;
  const logger = createLogger({ ...settings, logLevel: 'error' });
  const deps = { settings, paths, control, directory, logger, identity, now };
  const isThere = await planHeld(deps, await workplace.org(run.org), run, async ({ stage, files, isAsCounted }) => {
    const total = await rankPlanned(stage);
    const list = (most: number) =>
      named(listPlanned(stage, run.org, most), async (source) => (source === null ? null : (files[source] ?? null)));
    await use({ run, isApplied: false, isAsCounted, total, list });
    return true;
  });
  if (isThere === null) throw nothingOf(await getRun(workplace, id));
}

async function readRecorded({ directory, control }: Workplace, run: Run): Promise<RunChanges> {
  const total = await countRecorded(directory.read, run.org, run.id);
  const names = new Map<number, string | null>();
  const nameOf = async (upload: number | null) => {
    if (upload === null) return null;
    if (!names.has(upload)) {
      const path = (await findUpload(control.read, upload))?.path;
      names.set(upload, path === undefined ? null : path.slice(path.lastIndexOf('/') + 1));
    }
    return names.get(upload)!;
  };
  const list = (most: number) => named(listRecorded(directory.read, run.org, run.id, most), nameOf);
  return { run, isApplied: true, isAsCounted: true, total, list };
}

async function* named(
  pages: AsyncIterable<ShownChange[]>,
  nameOf: (source: number | null) => Promise<string | null>,
): AsyncGenerator<RunChange> {
  for await (const page of pages)
    for (const { source, ...change } of page) yield { file: await nameOf(source), ...change };
}

function nothingOf({ id, state }: Run): OperationError {
  const why = state === 'open' || state === 'running' ? 'what it will change is not known yet' : 'it changed nothing';
  return new OperationError('refused', `run ${id} is ${state}: ${why}`);
}
