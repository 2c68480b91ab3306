/** Shuts out the importer that had a run before, where it may still be alive: paused, cut off from the database, or slow. */
import { refuseAfterLosses } from '../../db/control/quarantine.js';
import { hasLease, type Run, raiseClaims, readByLost } from '../../db/control/runs.js';
import { raiseFence, readFence } from '../../db/directory/fence.js';
import { DatabaseError } from '../../db/error.js';
import type { RunDeps } from './deps.js';

/**
 * Where another importer had the run and did not give it back, that one applies nothing any more once this has returned. If it is
 * applying its plan just now, this waits for that, and the plan is found applied.
 * @throws DatabaseError `fenced` when a later claim came first
 */
export async function takeOver({ directory }: Pick<RunDeps, 'directory'>, { id, org, claim }: Run): Promise<void> {
  if (claim === undefined || !claim.isTakeover) return;
  if (!(await raiseFence(directory.write, org, claim.epoch)))
    throw new DatabaseError('fenced', `run ${id} belongs to another importer now`);
}

/**
 * After `fenced`. A run that this importer has nevertheless was claimed in a control database that is older than the directory:
 * the next claim gets a number that is large enough.
 */
export async function yieldToFence(
  { control, directory }: Pick<RunDeps, 'control' | 'directory'>,
  run: Run,
): Promise<void> {
  if (await hasLease(control.read, run))
    await raiseClaims(control.write, run.org, await readFence(directory.read, run.org));
}

/**
 * A file that several nodes in a row were lost with is refused: where only an importer's process ends, the server of its node
 * counts that (app/importerpool.ts).
 */
export async function judgeFileOfLost(
  { control, logger, now }: Pick<RunDeps, 'control' | 'logger' | 'now'>,
  run: Run,
): Promise<void> {
  const upload = readByLost(run);
  if (upload === null) return;
  const isRefused = await refuseAfterLosses(control, upload, now());
  const message = isRefused
    ? 'quarantined an upload that several nodes were lost with'
    : 'the importer that read an upload was lost; will try the upload again';
  logger.warn(message, { org: run.org, run: run.id, upload });
}
