/** The npm package, packed and installed beside its production dependencies alone. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Tests may run from a mirror of links, which npm does not pack.
export const packageRoot = dirname(realpathSync(fileURLToPath(new URL('../../package.json', import.meta.url))));
export const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));

/** What npm packs, without building: other tests run the build that exists. */
export function pack(...options: string[]): { filename: string; files: string[] } {
  const args = ['pack', '--json', '--ignore-scripts', ...options];
  const printed = JSON.parse(execFileSync('npm', args, { cwd: packageRoot, encoding: 'utf8', stdio: 'pipe' }));
  // An array, or an object by package name: the versions of npm differ.
  const [packed] = Object.values(printed) as { filename: string; files: { path: string }[] }[];
  return { filename: packed!.filename, files: packed!.files.map(({ path }) => path) };
}

/** Installs the package into a folder. @returns the path of its command, and that of the package */
export function installPackage(folder: string): { command: string; home: string } {
  const { filename } = pack('--pack-destination', folder);
  const home = join(folder, 'node_modules', manifest.name);
  mkdirSync(home, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, filename), '-C', home, '--strip-components=1']);
  linkDependencies(join(folder, 'node_modules'));
  const command = join(folder, 'node_modules', '.bin', 'dropslot');
  mkdirSync(dirname(command));
  symlinkSync(join('..', manifest.name, manifest.bin.dropslot), command);
  chmodSync(join(home, manifest.bin.dropslot), 0o755); // as npm does
  return { command, home };
}

/** Links the top-level packages that npm installs for production. */
function linkDependencies(folder: string): void {
  const { packages } = JSON.parse(readFileSync(join(packageRoot, 'package-lock.json'), 'utf8'));
  for (const [path, { dev }] of Object.entries<{ dev?: boolean }>(packages)) {
    const target = join(packageRoot, path);
    // An optional one may not be installed here.
    if (dev || !/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) || !existsSync(target)) continue;
    const link = join(folder, path.slice('node_modules/'.length));
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(target, link);
  }
}
