/** Creates and sums up the counts of files and runs. */
import type { Counts, FileOutcome } from './types.js';

/** All zero. */
export function noCounts(): Counts {
  return {
    created: 0,
    updated: 0,
    unchanged: 0,
    deactivated: 0,
    scheduled: 0,
    stubs: 0,
    faults: 0,
    warnings: 0,
    refused: 0,
  };
}

function addCounts(left: Counts, right: Counts): Counts {
  const sum = noCounts();
  for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] = left[name] + right[name];
  return sum;
}

/** The sums of all files. */
export function sumFiles(files: readonly Pick<FileOutcome, 'users' | 'teams'>[]): { users: Counts; teams: Counts } {
  return {
    users: files.map((file) => file.users).reduce(addCounts, noCounts()),
    teams: files.map((file) => file.teams).reduce(addCounts, noCounts()),
  };
}
