/** The npm package: it has what the README links to and what the program needs, and no sources; it runs once installed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './support/temporary.js';

// Tests may run from a mirror of links, which npm does not pack.
const root = dirname(realpathSync(fileURLToPath(new URL('../package.json', import.meta.url))));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** What npm packs, without building: other tests run the build that exists. */
function pack(...options: string[]): { filename: string; files: string[] } {
  const args = ['pack', '--json', '--ignore-scripts', ...options];
  const printed = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }));
  // An array, or an object by package name: the versions of npm differ.
  const [packed] = Object.values(printed) as { filename: string; files: { path: string }[] }[];
  return { filename: packed!.filename, files: packed!.files.map(({ path }) => path) };
}

/** Targets of a Markdown text's links that are files of the repository, seen from its root. */
function linksOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!.replace(/#.*/, ''))
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(file), target)));
}

test('the package has each file that its documents link to, the program, and no sources or maps', () => {
  const { files } = pack('--dry-run');
  const isPacked = (target: string) =>
    files.includes(target) || files.some((file) => file.startsWith(`${target.replace(/\/$/, '')}/`));
  const documents = files.filter((file) => file.endsWith('.md'));
  assert.ok(documents.includes('README.md') && documents.length > 10);
  const broken = documents.flatMap((file) =>
    linksOf(file)
      .filter((target) => !isPacked(target))
      .map((target) => `${file} links to ${target}`),
  );
  assert.deepEqual(broken, []);
  assert.ok(files.includes(manifest.bin.dropslot));
  assert.deepEqual(
    files.filter((file) => !/\.(js|md)$/.test(file) && file !== 'docs/alerts.yml'),
    ['LICENSE', 'package.json'],
  );
  const needless = files.filter((file) => /\.js$/.test(file) && !existsSync(join(root, sourceOf(file))));
  assert.deepEqual(needless, [], 'compiled from sources that exist');
});

function sourceOf(file: string): string {
  return file.replace(/^dist\//, '').replace(/\.js$/, '.ts');
}

test('the package, installed beside its production dependencies alone, runs', (context) => {
  const folder = temporaryFolder(context);
  const { filename } = pack('--pack-destination', folder);
  const home = join(folder, 'node_modules', manifest.name);
  mkdirSync(home, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, filename), '-C', home, '--strip-components=1']);
  linkDependencies(join(folder, 'node_modules'));
  const command = join(folder, 'node_modules', '.bin', 'dropslot');
  mkdirSync(dirname(command));
  symlinkSync(join('..', manifest.name, manifest.bin.dropslot), command);
  chmodSync(join(home, manifest.bin.dropslot), 0o755); // as npm does
  const dropslot = (option: string) => execFileSync(command, [option], { cwd: folder, encoding: 'utf8' });
  assert.equal(dropslot('--version').trim(), manifest.version);
  assert.match(dropslot('--help'), /^Usage: dropslot /m);
});

/** Links the top-level packages that npm installs for production. */
function linkDependencies(folder: string): void {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  for (const [path, { dev }] of Object.entries<{ dev?: boolean }>(packages)) {
    const target = join(root, path);
    // An optional one may not be installed here.
    if (dev || !/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) || !existsSync(target)) continue;
    const link = join(folder, path.slice('node_modules/'.length));
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(target, link);
  }
}
