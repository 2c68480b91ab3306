/** The npm package: it has what the README links to and what the program needs, and no sources; it runs once installed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { installPackage, manifest, pack, packageRoot } from './support/package.js';
import { temporaryFolder } from './support/temporary.js';

/** Targets of a Markdown text's links that are files of the repository, seen from its root. */
function linksOf(file: string): string[] {
  const text = readFileSync(join(packageRoot, file), 'utf8');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!.replace(/#.*/, ''))
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(file), target)));
}

test('the package has each file that its documents link to, the program, its types, and no sources or maps', () => {
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
  const entry = manifest.exports['.'];
  for (const file of [entry.types, entry.default]) assert.ok(files.includes(normalize(file)), file);
  const others = files.filter(
    (file) =>
      !/\.(js|md|png)$|^dist\/man\/|^packaging\//.test(file) &&
      !['docs/alerts.yml', 'docs/grafana.json', 'docs/scaling.svg'].includes(file),
  );
  assert.deepEqual(others.sort(), [
    'LICENSE',
    normalize(entry.types),
    'dist/build.json',
    'examples/embedded/package.json',
    'examples/three-nodes/dropslot.json',
    'examples/three-nodes/haproxy.cfg',
    'package.json',
  ]);
  const lacking = manifest.man.filter((page: string) => !files.includes(normalize(page)));
  assert.deepEqual(lacking, [], 'the manual pages of package.json are in the package');
  const needless = files.filter(
    (file) => /^dist\/.*\.js$/.test(file) && !existsSync(join(packageRoot, sourceOf(file))),
  );
  assert.deepEqual(needless, [], 'compiled from sources that exist');
});

function sourceOf(file: string): string {
  return file.replace(/^dist\//, '').replace(/\.js$/, '.ts');
}

test('the package, installed beside its production dependencies alone, runs', (context) => {
  const folder = temporaryFolder(context);
  const { command } = installPackage(folder);
  const dropslot = (option: string) => execFileSync(command, [option], { cwd: folder, encoding: 'utf8' });
  const versions = `dropslot ${manifest.version} (build `;
  assert.ok(dropslot('--version').startsWith(versions), 'it tells version and build');
  assert.match(dropslot('--version'), /Node\.js v\d+\.\d+\.\d+, /);
  assert.match(dropslot('--help'), /^Usage: dropslot /m);
});
