/** Checks what the machine gives Dropslot: the owner and the mode of the data folder, file names left on the disk, leftovers of planning. */
import { statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { listLeftStages, sweepStages } from '../../importer/run/stages.js';
import type { Workplace } from '../workplace.js';
import { type Finding, reporter } from './finding.js';
import { closing } from './permissions.js';

/** Each stored file needs one, and a database a few for a moment. */
const fewInodes = 10_000;
const tooFewInodes = 1000;

/** @param statOf, inodesOf of a folder, and the user of this process (undefined: the system has none); for tests */
export async function examineMachine(
  workplace: Workplace,
  statOf: (path: string) => { uid: number; mode: number } = statSync,
  inodesOf: (path: string) => Promise<{ files: number; ffree: number }> = statfs,
  user: number | undefined = process.getuid?.(),
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { paths } = workplace;
  const { data } = paths;
  const { uid, mode } = statOf(data);
  const report = reporter(findings, 'machine', data);
  if (uid === 0)
    report(
      'warning',
      'it belongs to root: run Dropslot as a user of its own, to which the folder and its files belong',
    );
  else if (user === 0)
    report(
      'warning',
      `it belongs to user ${uid}, and this command runs as root: run all commands as that user, since the server may be unable to open files that root makes`,
    );
  if ((mode & 0o077) !== 0) {
    const others = (mode & 0o022) !== 0 ? 'write to it' : 'list it';
    const level = (mode & 0o022) !== 0 ? 'wrong' : 'warning';
    report(
      level,
      `other users may ${others} (mode ${(mode & 0o777).toString(8)}): chmod 700 ${data}`,
      closing(data, 0o700),
    );
  }
  for (const [name, folder] of [
    ['its disk', data],
    ['the disk of its sealed files', paths.store === undefined ? paths.blobs : data],
  ] as const) {
    if (folder !== data && !isOtherDisk(folder, data)) continue;
    const { files, ffree } = await inodesOf(folder);
    // Some file systems have no fixed number.
    if (files > 0 && ffree < fewInodes)
      report(ffree < tooFewInodes ? 'wrong' : 'warning', `${name} has room for only ${ffree} more files (inodes)`);
  }
  await examineStages(workplace, findings);
  return findings;
}

function isOtherDisk(folder: string, data: string): boolean {
  const found = statSync(folder, { throwIfNoEntry: false });
  return found !== undefined && found.dev !== statSync(data).dev;
}

/** They have rows of users. */
async function examineStages(workplace: Workplace, findings: Finding[]): Promise<void> {
  const left = await listLeftStages(workplace);
  if (left.length === 0) return;
  const subject = workplace.directory.dialect === 'sqlite' ? workplace.paths.stage : 'PostgreSQL';
  reporter(findings, 'stages', subject)(
    'warning',
    `interrupted runs or checks left ${left.length} ${left.length === 1 ? 'stage' : 'stages'} with rows of users; the next start of "dropslot serve" removes them`,
    { what: `remove ${left.length} left stages`, act: async () => void (await sweepStages(workplace)) },
  );
}
