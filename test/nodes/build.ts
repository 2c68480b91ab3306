/** Builds of the program that nodes run: that of this repository, and one of another version, from another folder. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Scope, temporaryFolder } from '../support/temporary.js';

export interface Build {
  /** `this`, or the commit that the other one was built from. */
  name: string;
  /** Its program; absent: that of this repository. */
  entry?: string;
}

export const thisBuild: Build = { name: 'this' };

const root = join(import.meta.dirname, '../..');

/** The last commit of the version before this one. It knows levels of the schema (db/migrations/level.ts), as release 0.1.0 does not. */
const commitBefore = '3639cf9f916ead45d899063e9c3e6549a2b5f93a';

/** Instead of the build of that commit: the folder of another built version, such as an unpacked package. */
const given = process.env.TEST_BESIDE;

/** Why a test of two versions is skipped; false: the one before is there, or can be built. */
export const lacksBefore: string | false =
  given !== undefined || hasCommit()
    ? false
    : `needs commit ${commitBefore.slice(0, 8)}, which this repository does not have, or TEST_BESIDE=FOLDER of another built version`;

/** @throws when nothing was built there */
export function openBuild(folder: string): Build {
  const dist = join(resolve(folder), 'dist');
  const entry = join(dist, 'app', 'main.js');
  if (!existsSync(entry)) throw new Error(`${folder} has no built version: ${entry} is not there`);
  const { build } = JSON.parse(readFileSync(join(dist, 'build.json'), 'utf8')) as { build: string };
  return { name: build === 'unknown' ? 'other' : build, entry };
}

/** Builds the version before, with the packages that are installed here: their versions fit both. */
export function openBefore(scope: Scope): Build {
  if (given !== undefined) return openBuild(given);
  const folder = temporaryFolder(scope);
  const files = execFileSync('git', ['archive', commitBefore], { cwd: root, maxBuffer: 2 ** 30 });
  execFileSync('tar', ['-x', '-C', folder], { input: files });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  return { ...openBuild(folder), name: commitBefore.slice(0, 12) };
}

function hasCommit(): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${commitBefore}^{commit}`], { cwd: root, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
