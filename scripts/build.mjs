// Compiles the source folders into dist/ and removes the output of deleted sources, so that the package does not contain
// it. Makes the command executable, as npm does for an installed package,
// names the build, gathers libraries, and makes the manual pages.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gatherLibraries } from './libraries.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
/** The types of the package. */
const typings = ['app/embed/api.d.ts'];
execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
for (const file of typings) copyFileSync(join(root, file), join(root, 'dist', file));
removeStale('');
await gatherLibraries(root, join(root, 'dist'));
chmodSync(join(root, 'dist', 'app', 'main.js'), 0o755);
writeFileSync(join(root, 'dist', 'build.json'), `${JSON.stringify({ build: nameBuild() })}\n`);
await import('./manpages.mjs');

/** The commit, and whether the sources differ from it; `unknown` outside of a git repository, as from an archive of the sources. */
function nameBuild() {
  const git = (...words) =>
    execFileSync('git', words, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    if (git('rev-parse', '--show-prefix').trim() !== '') return 'unknown';
    const commit = git('rev-parse', '--short=12', 'HEAD').trim();
    return git('status', '--porcelain', '--untracked-files=no').trim() === '' ? commit : `${commit}-changed`;
  } catch {
    return 'unknown';
  }
}

/** After compiling, so that a program that runs from dist/ meanwhile finds its files. */
function removeStale(folder) {
  for (const entry of readdirSync(join(root, 'dist', folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (['man', 'libraries', 'build.json'].includes(path)) continue;
    if (entry.isDirectory() && existsSync(join(root, path))) removeStale(path);
    else if (!existsSync(join(root, path.replace(/\.js$/, '.ts'))))
      rmSync(join(root, 'dist', path), { recursive: true });
  }
}
