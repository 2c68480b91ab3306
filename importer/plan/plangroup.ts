/** Plans several small users files together, where the plan is that of one after the other. */
import { takeStep } from '../../db/stagestep.js';
import { RefusalError } from '../codes.js';
import { countEach } from './groupcounts.js';
import { planTogether } from './grouprules.js';
import type { PlanInput } from './input.js';
import { endFile, type PlannedFile } from './planfile.js';
import type { SmallFile } from './smallfile.js';

/** @returns null: planned one after the other they may give another plan, and nothing was planned. */
export async function planGroup(input: PlanInput, files: readonly SmallFile[]): Promise<PlannedFile[] | null> {
  // From here on no failure is put down to the file that was read last.
  input.reportProgress({ phase: 'planning', file: null, rows: 0 });
  const counts = await takeStep(input.stage, async (stage) => {
    try {
      const isPlanned = await planTogether({ ...input, stage }, files);
      return isPlanned ? await countEach(stage, files[0]!.file, files.at(-1)!.file) : null;
    } catch (error) {
      // The file that is past a limit is refused, and no other one.
      if (error instanceof RefusalError) return null;
      throw error;
    }
  });
  if (counts === null) return null;
  for (const { file, planned, issues, users, input: opened } of files) {
    const { created = 0, updated = 0, deactivated = 0, scheduled = 0 } = counts.get(file) ?? {};
    const unchanged = users.length - created - updated + opened.reading.recognized;
    Object.assign(planned.users, { created, updated, unchanged, deactivated, scheduled });
    await endFile(planned, issues);
  }
  return files.map(({ planned }) => planned);
}
