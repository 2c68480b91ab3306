/** Plans the files of a run one after the other, into the stage. The directory is not changed. */
import type { Source } from '../read/source.js';
import type { PlanInput } from './input.js';
import { type PlannedFile, planFile } from './planfile.js';
import { countStubs } from './stubs.js';

/** @param sources in the order in which they are applied. Their positions number them in the stage. */
export async function planFiles(input: PlanInput, sources: readonly Source[]): Promise<PlannedFile[]> {
  const planned: PlannedFile[] = [];
  for (const [file, source] of sources.entries()) planned.push(await planFile(input, file, source));
  // A later file may describe a user or a team that an earlier one only names: stubs are counted at the end.
  for (const [file, { users, teams }] of planned.entries()) {
    const stubs = await countStubs(input.stage, file);
    users.stubs = stubs.users;
    teams.stubs = stubs.teams;
  }
  return planned;
}
