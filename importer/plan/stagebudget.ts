/** Bounds the temporary storage of a run: ends the planning of a file past it, and of the run when the disk is nearly full. */
import type { Settings } from '../../config/settings.js';
import { measureStage, type Stage } from '../../db/stage.js';
import { describeShortage, findShortage } from '../../storage/freespace.js';
import { RefusalError, refuse } from '../codes.js';
import { ImportError } from '../error.js';

/**
 * Call it while rows are staged.
 * @throws RefusalError `stage_too_large`; ImportError `no_space`: the run waits for the next attempt, and its files are queued
 */
export async function checkStageBudget(
  stage: Stage,
  settings: Pick<Settings, 'data' | 'minFreeBytes' | 'maxStageBytes'>,
): Promise<void> {
  const shortage = findShortage(settings);
  if (shortage !== null) throw new ImportError('no_space', describeShortage(shortage));
  const limit = settings.maxStageBytes;
  if ((await measureStage(stage, limit)) > limit) throw new RefusalError(refuse('stage_too_large', { limit }));
}
